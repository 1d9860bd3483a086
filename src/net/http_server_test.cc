#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <functional>
#include <future>
#include <list>
#include <new>
#include <sstream>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "net/event.h"

namespace sosie::net {
namespace {

/// Answers every request with its body, and those for "/big" with more than socket buffers hold.
class Echo final : public Handler {
 public:
  Task<void> handle(Exchange& exchange) override {
    Reply reply;
    const bool big = exchange.request().path() == "/big";
    reply.body = big ? std::string(32 << 20, 'x') : exchange.take_body();
    co_await exchange.respond(std::move(reply));
  }
  Reply refusal(int status, std::string_view) override {
    Reply reply;
    reply.status = status;
    return reply;
  }
  void cancel() override {}
};

std::unique_ptr<HttpServer> start(HttpServerOptions options) {
  auto server = HttpServer::start(std::move(options), [](boost::asio::any_io_executor) { return std::make_unique<Echo>(); });
  EXPECT_TRUE(server);
  return std::move(*server);
}

class Client {
 public:
  explicit Client(const HttpServer& server) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server.port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    const timeval limit{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  }
  ~Client() { ::close(socket_); }
  void half_close() { ::shutdown(socket_, SHUT_WR); }
  void reset_on_close() {
    const linger now{1, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) { EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())); }

  std::string read(std::size_t size) {
    std::string bytes(size, '\0');
    const ssize_t count = ::recv(socket_, bytes.data(), size, MSG_WAITALL);
    bytes.resize(static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    return bytes;
  }

  /// Sends the headers of a request with `length` bytes of body, and sees that the server has read them.
  void send_headers(int length) {
    send("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n");
    EXPECT_EQ(read(25), "HTTP/1.1 100 Continue\r\n\r\n");
  }

  /// Until the server closes; "timeout" where it does not.
  std::string read_all() {
    std::string all;
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::recv(socket_, buffer, sizeof buffer, 0);
      if (count < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return "timeout";
      if (count <= 0) return all;
      all.append(buffer, static_cast<std::size_t>(count));
    }
  }

 private:
  int socket_;
};

TEST(HttpServer, GivesUpOnSlowHeadersAndBodies) {
  HttpServerOptions options;
  options.header_timeout = options.body_timeout = Milliseconds{200};
  const auto server = start(options);
  Client headers(*server), body(*server);
  headers.send("GET / HTTP/1.1\r\nHost: ");
  body.send("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf");
  EXPECT_TRUE(headers.read_all().starts_with("HTTP/1.1 408"));
  EXPECT_TRUE(body.read_all().starts_with("HTTP/1.1 408"));
}

TEST(HttpServer, ClosesIdleConnectionsWithoutAWord) {
  HttpServerOptions options;
  options.idle_timeout = Milliseconds{200};
  const auto server = start(options);
  Client fresh(*server), used(*server);
  used.send("GET / HTTP/1.1\r\n\r\n");
  EXPECT_EQ(fresh.read_all(), "");
  EXPECT_TRUE(used.read_all().starts_with("HTTP/1.1 200"));
}

TEST(HttpServer, GivesUpOnAClientThatDoesNotRead) {
  HttpServerOptions options;
  options.write_timeout = Milliseconds{200};
  const auto server = start(options);
  Client stuck(*server);
  stuck.send("GET /big HTTP/1.1\r\n\r\n");
  const auto begin = std::chrono::steady_clock::now();
  while (server->connections() == 0 && std::chrono::steady_clock::now() - begin < Milliseconds{5'000}) ::usleep(1'000);
  while (server->connections() != 0 && std::chrono::steady_clock::now() - begin < Milliseconds{15'000}) ::usleep(1'000);
  EXPECT_EQ(server->connections(), 0u);
}

TEST(HttpServer, TurnsAwayWhatIsTooMany) {
  HttpServerOptions options;
  options.max_connections = 1;
  const auto server = start(options);
  Client first(*server);
  first.send_headers(2);
  Client second(*server);
  EXPECT_EQ(second.read_all(), "");
  first.send("ok");
  server->drain();
  EXPECT_TRUE(first.read_all().ends_with("\r\n\r\nok"));
}

TEST(HttpServer, StopsAtOnceWhereNothingIsInFlight) {
  const auto server = start({});
  Client idle(*server);
  const auto begin = std::chrono::steady_clock::now();
  server->stop(Milliseconds{20'000});
  EXPECT_EQ(idle.read_all(), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, Milliseconds{10'000});
}

TEST(HttpServer, StopsAlthoughATickIsDue) {
  class Busy final : public Handler {
   public:
    Task<void> handle(Exchange&) override { co_return; }
    Reply refusal(int, std::string_view) override { return {}; }
    void cancel() override { ::usleep(300'000); }  // The loop's ticker runs out meanwhile.
  };
  auto server = HttpServer::start({}, [](boost::asio::any_io_executor) { return std::make_unique<Busy>(); });
  ASSERT_TRUE(server);
  (*server)->stop(Milliseconds{0});
}

TEST(HttpServer, StopsOnceForAllCallers) {
  const auto server = start({});
  Client waiting(*server);
  waiting.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
  while (server->connections() == 0) ::usleep(1'000);
  const auto stop = [&server] {
    server->stop(Milliseconds{300});
    EXPECT_EQ(server->connections(), 0u);
  };
  std::thread first(stop), second(stop);
  first.join();
  second.join();
}

TEST(HttpServer, LeavesDescriptorsToOthers) {
  // In a process of its own: a hard limit cannot be raised again.
  const auto fits = [] {
    const rlimit few{16, 128 + 3};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) std::_Exit(2);
    const auto server = start({});
    rlimit now{};
    ::getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur != few.rlim_max) std::_Exit(3);
    std::list<Client> kept;
    for (int i = 0; i < 3; ++i) {
      kept.emplace_back(*server);
      kept.back().send_headers(2);
    }
    std::_Exit(Client(*server).read_all().empty() ? 0 : 4);
  };
  EXPECT_EXIT(fits(), testing::ExitedWithCode(0), "at most 3 connections at a time, because this process may open 131 files; .*ulimit");
}

TEST(HttpServer, RefusesToStartWithTooFewDescriptors) {
  const auto refuses = [] {
    const rlimit few{16, 128};
    if (::setrlimit(RLIMIT_NOFILE, &few) != 0) std::_Exit(2);
    const auto started = HttpServer::start({}, [](boost::asio::any_io_executor) { return std::make_unique<Echo>(); });
    if (started || started.error().code != ErrorCode::resource_exhausted) std::_Exit(3);
    std::_Exit(started.error().message.find("128 files") != std::string::npos ? 0 : 4);
  };
  EXPECT_EXIT(refuses(), testing::ExitedWithCode(0), "");
}

TEST(HttpServer, AHandlerThatThrowsCostsOneAnswer) {
  class Throwing final : public Handler {
   public:
    Task<void> handle(Exchange& exchange) override {
      const std::string_view path = exchange.request().path();
      if (path == "/begun") co_await exchange.begin(Reply{.body = "half", .length = 9});
      if (path == "/memory" || path == "/begun") throw std::bad_alloc();
      if (path == "/other") throw std::runtime_error("other");
      co_await exchange.respond(Reply{.body = "fine"});
    }
    Reply refusal(int status, std::string_view) override { return {.status = status, .body = "sorry"}; }
    void cancel() override {}
  };
  const auto started = HttpServer::start({}, [](boost::asio::any_io_executor) { return std::make_unique<Throwing>(); });
  ASSERT_TRUE(started);
  const auto ask = [&](std::string_view path) {
    Client client(**started);
    client.send("GET " + std::string(path) + " HTTP/1.1\r\n\r\nGET /fine HTTP/1.1\r\nConnection: close\r\n\r\n");
    return client.read_all();
  };
  std::string answer = ask("/memory");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("\r\n\r\nsorry")) << answer;
  answer = ask("/other");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 500 ") && answer.ends_with("\r\n\r\nsorry")) << answer;
  answer = ask("/begun");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhalf")) << answer;
  EXPECT_TRUE(ask("/fine").ends_with("fine"));
}

TEST(HttpServer, SaysThatThePortIsTaken) {
  const auto server = start({});
  HttpServerOptions options;
  options.port = server->port();
  const auto second = HttpServer::start(options, [](boost::asio::any_io_executor) { return std::make_unique<Echo>(); });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
}

/// Waits until the client has left or `release` is called, then answers. "/begun" sends a first piece before.
class Waiting final : public Handler {
 public:
  explicit Waiting(boost::asio::any_io_executor the_executor) : executor(std::move(the_executor)) {}

  Task<void> handle(Exchange& exchange) override {
    if (exchange.request().path() == "/begun") co_await exchange.begin(Reply{.body = "first"});
    Event wake(executor);
    if (released_) wake.set();
    const std::stop_callback left(exchange.gone(), [&wake] { wake.set(); });
    waiting_.push_back(&wake);
    co_await wake.wait(after(Milliseconds{60'000}));
    waiting_.remove(&wake);
    if (exchange.gone().stop_requested()) co_return;
    co_await exchange.respond(Reply{.body = "at last"});
  }
  Reply refusal(int, std::string_view) override { return {}; }
  void cancel() override { release(); }

  /// For those who wait, and all that come later.
  void release() {
    released_ = true;
    for (Event* each : waiting_) each->set();
  }

  const boost::asio::any_io_executor executor;

 private:
  bool released_ = false;
  std::list<Event*> waiting_;
};

class HttpServerWatch : public testing::Test {
 protected:
  void wait_for_connections(std::size_t wanted) {
    for (const auto until = after(Milliseconds{30'000}); server_->connections() != wanted && std::chrono::steady_clock::now() < until;)
      ::usleep(1'000);
    ASSERT_EQ(server_->connections(), wanted);
  }
  void release() {
    boost::asio::post(handler_->executor, [this] { handler_->release(); });
  }

  Waiting* handler_ = nullptr;
  std::unique_ptr<HttpServer> server_ = *HttpServer::start({}, [this](boost::asio::any_io_executor executor) {
    auto handler = std::make_unique<Waiting>(executor);
    handler_ = handler.get();
    return handler;
  });
};

TEST_F(HttpServerWatch, ThoseWhoComeTogetherNeedNotATurnEachOfABusyThread) {
  constexpr std::size_t kClients = 60;
  std::atomic<bool> done = false;
  std::atomic<int> turns = 0;
  std::promise<void> over;
  const std::function<void()> work = [&] {
    ++turns;
    ::usleep(2'000);
    done ? over.set_value() : boost::asio::post(handler_->executor, work);
  };
  boost::asio::post(handler_->executor, work);
  std::list<Client> clients;
  while (clients.size() < kClients) clients.emplace_back(*server_);
  wait_for_connections(kClients);
  done = true;
  over.get_future().wait();
  EXPECT_LT(turns, static_cast<int>(kClients) / 2);
}

TEST_F(HttpServerWatch, ClientsThatHaveLeftHoldNoPlace) {
  for (const std::string line : {"GET / HTTP/1.1", "GET /begun HTTP/1.1", "GET / HTTP/1.0", "GET /begun HTTP/1.0"}) {
    for (const bool reset : {false, true}) {
      for (const std::string behind : {"", "GET /next HTTP/1.1\r\n\r\n"}) {
        auto client = std::make_unique<Client>(*server_);
        client->send(line + "\r\n\r\n" + behind);
        wait_for_connections(1);
        if (reset) client->reset_on_close();
        client.reset();
        wait_for_connections(0);
      }
    }
  }
}

TEST_F(HttpServerWatch, AClientThatOnlySendsNoMoreGetsItsAnswer) {
  Client client(*server_);
  client.send("GET / HTTP/1.1\r\n\r\n");
  client.half_close();
  // The question whether it is there has come: the handler goes on all the same.
  EXPECT_EQ(client.read(25), "HTTP/1.1 100 Continue\r\n\r\n");
  release();
  const std::string answer = client.read_all();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200") && answer.ends_with("at last")) << answer;
}

TEST_F(HttpServerWatch, WhatIsSentAheadIsNotLost) {
  Client client(*server_);
  client.send("GET / HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\nConnection: close\r\n\r\n");
  wait_for_connections(1);
  release();
  const std::string answers = client.read_all();
  const std::size_t second = answers.find("HTTP/1.1 200", 1);
  ASSERT_NE(second, std::string::npos) << answers;
  EXPECT_TRUE(answers.ends_with("at last"));
}

TEST(HttpServer, IdleConnectionsGiveWayToNewOnes) {
  HttpServerOptions options;
  options.max_connections = 2;
  const auto server = start(options);
  Client idle(*server), busy(*server);
  busy.send_headers(2);
  Client fresh(*server);
  fresh.send("POST / HTTP/1.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nnew");
  EXPECT_TRUE(fresh.read_all().ends_with("new"));
  EXPECT_EQ(idle.read_all(), "");
  busy.send("ok");
  busy.half_close();
  EXPECT_TRUE(busy.read_all().ends_with("ok"));
}

/// Begins "/STATUS/LENGTH/PIECE/PIECE…" with that length ("-": none known) and those pieces.
class Pieces final : public Handler {
 public:
  Task<void> handle(Exchange& exchange) override {
    std::vector<std::string> parts;
    std::istringstream path(exchange.request().target.substr(1));
    for (std::string part; std::getline(path, part, '/');) parts.push_back(part);
    Reply head;
    head.status = std::stoi(parts.at(0));
    head.headers = "X-Mine: 1\r\n";
    if (parts.at(1) != "-") head.length = std::stoull(parts[1]);
    co_await exchange.begin(std::move(head));
    for (std::size_t i = 2; i < parts.size(); ++i) co_await exchange.write(parts[i]);
    co_await exchange.finish();
  }
  Reply refusal(int, std::string_view) override { return {}; }
  void cancel() override {}
};

TEST(HttpServer, AnAnswerInPiecesIsFramedAsItsLengthAllows) {
  auto started = HttpServer::start({}, [](boost::asio::any_io_executor) { return std::make_unique<Pieces>(); });
  ASSERT_TRUE(started);
  const auto& server = **started;
  const auto ask = [&](std::string_view line) {
    Client client(server);
    client.send(std::string(line) + "\r\n\r\nGET /299/0 HTTP/1.1\r\nConnection: close\r\n\r\n");
    return client.read_all();
  };
  const auto has = [](const std::string& answer, std::string_view part) { return answer.find(part) != std::string::npos; };
  const auto goes_on = [&](const std::string& answer) { return has(answer, "HTTP/1.1 299 "); };

  std::string answer = ask("GET /200/5/abc/de HTTP/1.1");
  EXPECT_TRUE(has(answer, "Content-Length: 5\r\n") && has(answer, "\r\n\r\nabcdeHTTP/1.1 299 ")) << answer;
  EXPECT_FALSE(has(answer, "chunked"));
  answer = ask("GET /200/-/abc/de HTTP/1.1");
  EXPECT_TRUE(has(answer, "Transfer-Encoding: chunked\r\n") && has(answer, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP/1.1 299 ")) << answer;

  answer = ask("GET /200/6/abc/de HTTP/1.1");  // Too short, too long: the connection ends, and no byte passes for another answer's.
  EXPECT_TRUE(answer.ends_with("\r\n\r\nabcde") && !goes_on(answer)) << answer;
  answer = ask("GET /200/4/abc/de HTTP/1.1");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nabc") && !goes_on(answer)) << answer;

  answer = ask("HEAD /200/5/abc/de HTTP/1.1");
  EXPECT_TRUE(has(answer, "Content-Length: 5\r\n") && !has(answer, "abc") && goes_on(answer)) << answer;
  answer = ask("HEAD /200/-/abc HTTP/1.1");
  EXPECT_TRUE(!has(answer, "abc") && !has(answer, "Transfer-Encoding") && goes_on(answer)) << answer;
  answer = ask("GET /204/-/abc HTTP/1.1");
  EXPECT_TRUE(!has(answer, "abc") && !has(answer, "Transfer-Encoding") && goes_on(answer)) << answer;
  answer = ask("GET /304/7 HTTP/1.1");
  EXPECT_TRUE(has(answer, "Content-Length: 7\r\n") && goes_on(answer)) << answer;

  answer = ask("GET /200/-/abc/de HTTP/1.0");
  EXPECT_TRUE(answer.ends_with("\r\n\r\nabcde") && !has(answer, "chunked") && !goes_on(answer)) << answer;
}

}  // namespace
}  // namespace sosie::net
