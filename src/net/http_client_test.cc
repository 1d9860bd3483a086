#include "net/http_client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <latch>
#include <list>
#include <string>
#include <thread>

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

}  // namespace
}  // namespace sosie::net
