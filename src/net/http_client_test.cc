#include "net/http_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <latch>
#include <list>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sosie::net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

/// Answers the first request of its first `kKept` connections, all at once; closes on every later request without a word.
class Peer {
 public:
  static constexpr int kKept = 4;
  Peer() : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), accepting_([this] { accept(); }) {}
  ~Peer() {
    closing = true;
    boost::system::error_code ignored;
    tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), ignored);
    accepting_.join();
    for (auto& each : serving_) each.join();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::atomic<int> unanswered{0};
  std::atomic<bool> closing{false};

 private:
  void accept() {
    for (int i = 0;; ++i) {
      tcp::socket socket = acceptor_.accept();
      if (closing) return;
      serving_.emplace_back([this, i, socket = std::move(socket)]() mutable { serve(socket, i < kKept); });
    }
  }

  void serve(tcp::socket& socket, bool answers) {
    boost::system::error_code failure;
    char bytes[1024];
    if (answers) {
      socket.read_some(asio::buffer(bytes), failure);
      everyone_.arrive_and_wait();
      asio::write(socket, asio::buffer(std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")), failure);
    }
    if (socket.read_some(asio::buffer(bytes), failure) > 0) ++unanswered;
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::latch everyone_{kKept};
  std::list<std::thread> serving_;
  std::thread accepting_;
};

TEST(HttpClient, SendsNothingTwiceWhereAKeptConnectionDies) {
  Peer peer;
  asio::io_context context{1};
  auto url = parse_base_url("http://127.0.0.1:" + std::to_string(peer.port()));
  ASSERT_TRUE(url);
  {
    HttpClient client(context.get_executor(), *url, {});
    int answered = 0, cut = 0;
    const auto send = [&]() -> Task<void> {
      auto response = co_await client.send({"POST", "/", "", ""});
      const auto* error = std::get_if<ClientError>(&response);
      if (!error) ++answered;
      if (error && error->kind == ClientFailure::cut) ++cut;
    };
    for (int i = 0; i < Peer::kKept; ++i) asio::co_spawn(context, send(), asio::detached);
    context.run();
    ASSERT_EQ(answered, Peer::kKept);
    context.restart();
    asio::co_spawn(context, send(), asio::detached);
    context.run();
    EXPECT_EQ(cut, 1);
    EXPECT_EQ(peer.unanswered, 1);
  }
}

/// Each connection gets the next of `answers`, one for each of its requests, and is closed behind the last.
class Scripted {
 public:
  explicit Scripted(std::vector<std::vector<std::string>> connections)
      : connections_(std::move(connections)), acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)), thread_([this] { serve(); }) {}
  ~Scripted() {
    closing_ = true;
    boost::system::error_code ignored;
    tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  BaseUrl url() const { return {false, "127.0.0.1", acceptor_.local_endpoint().port(), "/v1"}; }

 private:
  void serve() {
    for (const auto& answers : connections_) {
      tcp::socket socket = acceptor_.accept();
      if (closing_) return;
      boost::system::error_code failure;
      for (const std::string& answer : answers) {
        std::string request;
        asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", failure);
        if (failure) break;
        asio::write(socket, asio::buffer(answer), failure);
      }
    }
  }

  const std::vector<std::vector<std::string>> connections_;
  asio::io_context context_;
  tcp::acceptor acceptor_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

struct Seen {
  int status = 0;
  std::string body;
  HeaderList headers;
  std::optional<ClientFailure> failure;
  std::size_t largest_piece = 0;
};

Seen ask(asio::io_context& context, HttpClient& client, std::string method = "GET") {
  Seen seen;
  auto task = [&]() -> Task<void> {
    ClientRequest request;
    request.method = method;
    request.target = "/x";
    auto answered = co_await client.send(std::move(request));
    if (const auto* error = std::get_if<ClientError>(&answered)) {
      seen.failure = error->kind;
      co_return;
    }
    ClientResponse response = std::get<ClientResponse>(std::move(answered));
    seen.status = response.status();
    seen.headers = response.headers();
    for (;;) {
      auto piece = co_await response.read();
      if (const auto* error = std::get_if<ClientError>(&piece)) {
        seen.failure = error->kind;
        co_return;
      }
      const auto& bytes = std::get<std::string>(piece);
      if (bytes.empty()) break;
      seen.largest_piece = std::max(seen.largest_piece, bytes.size());
      seen.body += bytes;
    }
  };
  asio::co_spawn(context, task(), asio::detached);
  context.restart();
  context.run();
  return seen;
}

const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

TEST(HttpClient, AKeptConnectionThatTheServerClosedIsReplacedBeforeAnythingIsSent) {
  std::optional<Scripted> server;
  server.emplace(std::vector<std::vector<std::string>>{{kOk}, {kOk, kOk}});
  asio::io_context context{1};
  {
    HttpClient client(context.get_executor(), server->url(), {});
    EXPECT_EQ(ask(context, client).body, "ok");
    std::this_thread::sleep_for(Milliseconds{50});  // for the end of the first connection to arrive
    EXPECT_EQ(ask(context, client, "POST").body, "ok");
    EXPECT_EQ(ask(context, client, "POST").body, "ok");
  }
  server.reset();
}

TEST(HttpClient, AnswersOfEveryShapeAreRead) {
  const std::vector<std::string> answers = {
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum\r\n\r\n2\r\nab\r\n3;ext=1\r\ncde\r\n0\r\nx-sum: 1\r\n\r\n",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + kOk,
      "HTTP/1.1 204 No Content\r\n\r\n",
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n",  // to HEAD
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n" + std::string("\x1f\x8b\0\1", 4),
      "HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nConnection: close\r\n\r\nto the end"};
  Scripted server({answers});  // all of them on one connection
  asio::io_context context{1};
  HttpClient client(context.get_executor(), server.url(), {});
  Seen seen = ask(context, client);
  EXPECT_EQ(seen.body, "abcde");
  EXPECT_FALSE(seen.headers.find("x-sum"));
  seen = ask(context, client);
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.body, "ok");
  EXPECT_FALSE(seen.headers.find("link"));
  EXPECT_EQ(ask(context, client).status, 204);
  EXPECT_EQ(ask(context, client).status, 304);
  seen = ask(context, client, "HEAD");
  EXPECT_EQ(seen.status, 200);
  EXPECT_EQ(seen.headers.find("content-length").value_or(""), "9");
  EXPECT_EQ(seen.body, "");
  EXPECT_EQ(ask(context, client).body, std::string("\x1f\x8b\0\1", 4));
  seen = ask(context, client);
  EXPECT_EQ(seen.body, "to the end");
  ASSERT_EQ(seen.headers.size(), 3u);
  EXPECT_EQ(seen.headers[1].value, "b=2");
}

TEST(HttpClient, BrokenAnswersAreFailuresAndNeverAskedForAgain) {
  for (const auto& [answer, failure] : {std::pair<std::string, ClientFailure>{"", ClientFailure::cut},
                                        {"HTTP/1.1 200", ClientFailure::cut},
                                        {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", ClientFailure::cut},
                                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", ClientFailure::cut},
                                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", ClientFailure::cut},
                                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", ClientFailure::malformed},
                                        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", ClientFailure::malformed},
                                        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", ClientFailure::malformed},
                                        {"HTTP/1.1 200 OK\r\nA: " + std::string(70'000, 'b') + "\r\n\r\n", ClientFailure::too_large},
                                        {"nonsense\r\n\r\n", ClientFailure::malformed}}) {
    Scripted server({{answer}});
    asio::io_context context{1};
    HttpClient client(context.get_executor(), server.url(), {});
    EXPECT_EQ(ask(context, client).failure, failure) << answer;
  }
}

TEST(HttpClient, AnyLengthIsReadInSmallPiecesWhereTheLimitIsZero) {
  const std::size_t size = 40 << 20;
  const std::string head = "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
  Scripted server({{head + std::string(size, 'x')}, {head + "x"}});
  asio::io_context context{1};
  HttpClientOptions options;
  options.max_response_bytes = 0;
  HttpClient unlimited(context.get_executor(), server.url(), options);
  const Seen seen = ask(context, unlimited);
  EXPECT_EQ(seen.body.size(), size);
  EXPECT_LE(seen.largest_piece, 16u << 10);
  HttpClient limited(context.get_executor(), server.url(), {});
  EXPECT_EQ(ask(context, limited).failure, ClientFailure::too_large);
}

TEST(HttpClient, ASlowReaderHoldsTheServerBack) {
  asio::io_context context{1}, peer;
  tcp::acceptor acceptor(peer, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
  HttpClientOptions options;
  options.max_response_bytes = 0;
  HttpClient client(context.get_executor(), {false, "127.0.0.1", acceptor.local_endpoint().port(), ""}, options);
  std::optional<ClientResponse> response;
  auto begin = [&]() -> Task<void> {
    auto answered = co_await client.send({"GET", "/", "", ""});
    response = std::get<ClientResponse>(std::move(answered));
  };
  asio::co_spawn(context, begin(), asio::detached);
  std::optional<tcp::socket> socket;
  std::thread accepting([&] {
    socket = acceptor.accept();
    asio::write(*socket, asio::buffer(std::string_view("HTTP/1.1 200 OK\r\n\r\n")));
  });
  context.run();
  accepting.join();
  // The kernel takes what its buffers hold; nobody reads, so it ends there.
  socket->non_blocking(true);
  const std::string block(1 << 20, 'x');
  boost::system::error_code failure;
  std::size_t sent = 0;
  const auto fill = [&] {
    for (const auto until = after(Milliseconds{200}); std::chrono::steady_clock::now() < until;) {
      const std::size_t count = socket->write_some(asio::buffer(block), failure);
      sent += failure ? 0 : count;
    }
  };
  fill();
  const std::size_t held = sent;
  EXPECT_LT(held, 64u << 20);
  std::size_t read = 0;
  auto take = [&]() -> Task<void> {
    for (int i = 0; i < 8; ++i) {
      auto piece = co_await response->read();
      read += std::get<std::string>(piece).size();
    }
  };
  std::size_t read_before_others = 0;
  asio::co_spawn(context, take(), asio::detached);
  asio::post(context, [&] { read_before_others = read; });
  context.restart();
  context.run();
  EXPECT_LE(read_before_others, 32u << 10);  // Much is there to be read at once, and yet the others have their turn.
  fill();
  EXPECT_LE(read, 8u * (16 << 10));
  EXPECT_LT(sent - held, 16u << 20);
  response.reset();
}

TEST(HttpClient, ACallThatIsStoppedEndsAtOnce) {
  // Before anything, while the answer's head is awaited, and while its body is.
  for (const std::string begun : {"", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"}) {
    asio::io_context context{1};
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    HttpClient client(context.get_executor(), {false, "127.0.0.1", acceptor.local_endpoint().port(), ""}, {});
    std::stop_source source;
    std::vector<std::optional<ClientFailure>> failures;
    auto call = [&]() -> Task<void> {
      auto answered = co_await client.send({.target = "/", .stop = source.get_token()});
      if (auto* response = std::get_if<ClientResponse>(&answered)) {
        co_await response->read();
        auto more = co_await response->read();
        failures.push_back(std::get<ClientError>(more).kind);
      } else {
        failures.push_back(std::get<ClientError>(answered).kind);
      }
    };
    auto serve = [&]() -> Task<void> {
      auto [failure, socket] = co_await acceptor.async_accept(as_values);
      std::string seen;
      co_await asio::async_read_until(socket, asio::dynamic_buffer(seen), "\r\n\r\n", as_values);
      co_await asio::async_write(socket, asio::buffer(begun), as_values);
      source.request_stop();
      auto [ended, count] = co_await socket.async_read_some(asio::buffer(seen), as_values);
      EXPECT_TRUE(ended);
    };
    asio::co_spawn(context, serve(), asio::detached);
    asio::co_spawn(context, call(), asio::detached);
    context.run();
    asio::co_spawn(context, call(), asio::detached);
    context.restart();
    context.run();
    EXPECT_EQ(failures, (std::vector<std::optional<ClientFailure>>(2, ClientFailure::cancelled)));
  }
}

}  // namespace
}  // namespace sosie::net
