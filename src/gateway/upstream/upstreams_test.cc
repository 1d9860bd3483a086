#include "gateway/upstream/upstreams.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace sosie::gateway {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using net::ClientError;
using net::ClientFailure;
using net::ClientResponse;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Breaker::Time kStart = Breaker::Time() + std::chrono::hours(1);

void fail(Breaker& breaker, unsigned times, Breaker::Time now) {
  for (unsigned i = 0; i < times; ++i) breaker.failed(now);
}

TEST(Breaker, OpensAfterFailuresInARow) {
  Breaker breaker("u");
  fail(breaker, Breaker::kOpensAfter - 1, kStart);
  breaker.succeeded();
  fail(breaker, Breaker::kOpensAfter - 1, kStart);
  EXPECT_TRUE(breaker.allows(kStart));
  EXPECT_EQ(breaker.wait(kStart), milliseconds{0});
  breaker.failed(kStart);
  EXPECT_FALSE(breaker.allows(kStart));
  EXPECT_GE(breaker.wait(kStart), Breaker::kFirstPause / 2);
  EXPECT_LE(breaker.wait(kStart), Breaker::kFirstPause);
}

TEST(Breaker, LetsOneTryAndClosesWithItsSuccess) {
  Breaker breaker("u");
  fail(breaker, Breaker::kOpensAfter, kStart);
  const auto later = kStart + Breaker::kFirstPause;
  EXPECT_TRUE(breaker.allows(later));
  EXPECT_FALSE(breaker.allows(later));
  breaker.succeeded();
  EXPECT_TRUE(breaker.allows(later));
  EXPECT_TRUE(breaker.allows(later));
}

TEST(Breaker, AFailedTryDoublesThePause) {
  Breaker breaker("u");
  fail(breaker, Breaker::kOpensAfter, kStart);
  auto now = kStart + Breaker::kFirstPause;
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(breaker.allows(now));
    breaker.failed(now);
    ASSERT_FALSE(breaker.allows(now));
    ASSERT_LE(breaker.wait(now), Breaker::kLongestPause);
    now += breaker.wait(now);
  }
  ASSERT_TRUE(breaker.allows(now));
  breaker.failed(now);
  EXPECT_GE(breaker.wait(now), Breaker::kLongestPause / 2);
}

TEST(Breaker, ATryThatLearntNothingLeavesItsPlaceToAnother) {
  Breaker breaker("u");
  breaker.abandoned(kStart);
  fail(breaker, Breaker::kOpensAfter, kStart);
  breaker.abandoned(kStart);  // of a call from before: it was no try
  EXPECT_FALSE(breaker.allows(kStart));
  const auto later = kStart + Breaker::kFirstPause;
  EXPECT_TRUE(breaker.allows(later));
  breaker.abandoned(later);
  EXPECT_TRUE(breaker.allows(later));
}

UpstreamOptions named(std::string name, std::vector<std::string> models) {
  UpstreamOptions options;
  options.name = std::move(name);
  options.base_url = "http://127.0.0.1:9/v1";
  options.models = std::move(models);
  return options;
}

TEST(Upstreams, TheFirstThatHasTheModelIsChosen) {
  auto table = make_upstreams({named("claude", {"claude-*", "haiku"}), named("gpt", {"gpt-4o*"}), named("all", {"x", "*"}), named("late", {"gpt-*"})});
  ASSERT_TRUE(table);
  asio::io_context context{1};
  Upstreams upstreams(*table, context.get_executor());
  EXPECT_EQ(upstreams.for_model("claude-sonnet-4")->options().name, "claude");
  EXPECT_EQ(upstreams.for_model("haiku")->options().name, "claude");
  EXPECT_EQ(upstreams.for_model("gpt-4o-mini")->options().name, "gpt");
  EXPECT_EQ(upstreams.for_model("gpt-5")->options().name, "all");
  EXPECT_EQ(upstreams.for_model("")->options().name, "all");
  EXPECT_EQ(upstreams.any()->options().name, "all");
}

TEST(Upstreams, NoneHasAModelNobodyNamed) {
  auto table = make_upstreams({named("claude", {"claude-*"}), named("gpt", {"gpt-*"})});
  ASSERT_TRUE(table);
  asio::io_context context{1};
  Upstreams upstreams(*table, context.get_executor());
  EXPECT_EQ(upstreams.for_model("llama"), nullptr);
  EXPECT_EQ(upstreams.any()->options().name, "claude");
  UpstreamTable none;
  EXPECT_EQ(Upstreams(none, context.get_executor()).any(), nullptr);
}

TEST(Upstreams, AWrongTableIsRefused) {
  EXPECT_FALSE(make_upstreams({named("u", {})}));
  UpstreamOptions wrong = named("u", {"*"});
  wrong.base_url = "api.openai.com";
  EXPECT_FALSE(make_upstreams({wrong}));
}

/// An upstream that gives every request the same answer; an empty one closes the connection.
class Server {
 public:
  explicit Server(std::string answer)
      : answer_(std::move(answer)), acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), thread_([this] { serve(); }) {}
  ~Server() {
    closing_ = true;
    boost::system::error_code ignored;
    tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()) + "/v1"; }
  int requests() const { return requests_; }
  int connections() const { return connections_; }

 private:
  void serve() {
    for (;;) {
      tcp::socket socket = acceptor_.accept();
      if (closing_) return;
      ++connections_;
      boost::system::error_code failure;
      std::string request;
      asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", failure);
      ++requests_;
      if (!answer_.empty()) asio::write(socket, asio::buffer(answer_), failure);
    }
  }

  const std::string answer_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::atomic<int> requests_{0}, connections_{0};
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

struct Caller {
  explicit Caller(UpstreamOptions options) {
    options.models = {"*"};
    auto made = make_upstreams({std::move(options)});
    table = std::move(*made);
    upstreams.emplace(table, context.get_executor());
  }

  std::string send() {
    std::string seen;
    auto task = [&]() -> net::Task<void> {
      net::ClientRequest request;
      request.target = "/models";
      auto answered = co_await upstreams->any()->send(std::move(request));
      if (const auto* error = std::get_if<ClientError>(&answered)) {
        failure = *error;
        seen = "failed";
      } else {
        seen = std::to_string(std::get<ClientResponse>(answered).status());
      }
    };
    asio::co_spawn(context, task(), asio::detached);
    context.restart();
    context.run();
    return seen;
  }

  asio::io_context context{1};
  UpstreamTable table;
  std::optional<Upstreams> upstreams;
  std::optional<ClientError> failure;
};

UpstreamOptions at(const std::string& url) {
  UpstreamOptions options;
  options.base_url = url;
  return options;
}

TEST(Upstream, NothingIsSentToOneThatFails) {
  for (const auto& [answer, seen] :
       {std::pair<std::string, std::string>{"", "failed"},
        {"HTTP/1.1 503 X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", "503"},
        {"nonsense\r\n\r\n", "failed"},
        {"HTTP/1.1 200 OK\r\nContent-", "failed"}}) {
    Server server(answer);
    Caller caller(at(server.url()));
    for (unsigned i = 0; i < Breaker::kOpensAfter; ++i) EXPECT_EQ(caller.send(), seen);
    EXPECT_EQ(server.requests(), static_cast<int>(Breaker::kOpensAfter)) << answer;  // each call was sent once
    EXPECT_EQ(caller.send(), "failed");
    EXPECT_EQ(caller.failure->kind, ClientFailure::refused);
    EXPECT_EQ(caller.failure->retry_after, seconds{1});
    EXPECT_EQ(server.requests(), static_cast<int>(Breaker::kOpensAfter));
  }
}

TEST(Upstream, AnAnswerIsAnAnswer) {
  for (const char* status : {"200", "400", "401", "404", "429", "500"}) {
    Server server(std::string("HTTP/1.1 ") + status + " X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    Caller caller(at(server.url()));
    for (unsigned i = 0; i < 2 * Breaker::kOpensAfter; ++i) EXPECT_EQ(caller.send(), status);
  }
}

TEST(Upstream, SilenceCountsAgainstItAndIsNotTriedAgain) {
  asio::io_context context;
  tcp::acceptor silent(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  UpstreamOptions options = at("http://127.0.0.1:" + std::to_string(silent.local_endpoint().port()));
  options.first_byte_timeout = milliseconds{50};
  Caller caller(options);
  for (unsigned i = 0; i < Breaker::kOpensAfter; ++i) {
    EXPECT_EQ(caller.send(), "failed");
    EXPECT_EQ(caller.failure->kind, ClientFailure::timeout);
  }
  caller.send();
  EXPECT_EQ(caller.failure->kind, ClientFailure::refused);
  int connections = 0;
  silent.non_blocking(true);
  boost::system::error_code failure;
  while (!failure) {
    tcp::socket socket(context);
    silent.accept(socket, failure);
    if (!failure) ++connections;
  }
  EXPECT_EQ(connections, static_cast<int>(Breaker::kOpensAfter));
}

TEST(Upstream, AConnectionThatCannotBeMadeIsTriedOnceMore) {
  asio::io_context context;
  tcp::acceptor taken(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  const std::uint16_t port = taken.local_endpoint().port();
  taken.close();
  Caller caller(at("http://127.0.0.1:" + std::to_string(port)));
  EXPECT_EQ(caller.send(), "failed");
  EXPECT_EQ(caller.failure->kind, ClientFailure::connect);
  // It comes up between the two tries, which are a moment apart.
  std::unique_ptr<tcp::acceptor> late;
  asio::steady_timer timer(caller.context, milliseconds{10});
  std::thread answering;
  timer.async_wait([&](const boost::system::error_code&) {
    late = std::make_unique<tcp::acceptor>(context, tcp::endpoint(asio::ip::address_v4::loopback(), port));
    answering = std::thread([&] {
      tcp::socket socket = late->accept();
      std::string request;
      boost::system::error_code failure;
      asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", failure);
      asio::write(socket, asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), failure);
    });
  });
  EXPECT_EQ(caller.send(), "200");
  if (answering.joinable()) answering.join();
}

}  // namespace
}  // namespace sosie::gateway
