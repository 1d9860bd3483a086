#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <list>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

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
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void send(std::string_view bytes) { EXPECT_EQ(::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size())); }

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
  first.send("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n");
  while (server->connections() == 0) ::usleep(1'000);
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
    for (std::size_t i = 1; i <= 3; ++i) {
      kept.emplace_back(*server);
      while (server->connections() < i) ::usleep(1'000);
    }
    std::_Exit(Client(*server).read_all().empty() ? 0 : 4);
  };
  EXPECT_EXIT(fits(), testing::ExitedWithCode(0), "");
}

TEST(HttpServer, SaysThatThePortIsTaken) {
  const auto server = start({});
  HttpServerOptions options;
  options.port = server->port();
  const auto second = HttpServer::start(options, [](boost::asio::any_io_executor) { return std::make_unique<Echo>(); });
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::unavailable);
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
