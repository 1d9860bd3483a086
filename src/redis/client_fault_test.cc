// Against a peer that says what the test tells it to: what no real server can be brought to say on demand.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "net/background.h"
#include "redis/test_client.h"

namespace sosie::redis {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using std::chrono::milliseconds;

/// Takes one connection after the other. `serve` says what happens on each; it ends with the peer, or when `serve`
/// returns.
class Peer {
 public:
  class Line {
   public:
    Line(tcp::socket& socket, int number) : number_(number), socket_(socket) {}
    int number() const { return number_; }  // of the connection, from 0
    /// Some bytes of the client; empty: it has gone.
    std::string hear() {
      std::string bytes(4096, '\0');
      boost::system::error_code failure;
      bytes.resize(socket_.read_some(asio::buffer(bytes), failure));
      return bytes;
    }
    void say(std::string_view bytes) {
      boost::system::error_code ignored;
      asio::write(socket_, asio::buffer(bytes), ignored);
    }

   private:
    const int number_;
    tcp::socket& socket_;
  };

  explicit Peer(std::function<void(Line)> serve)
      : acceptor_(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)),
        serve_(std::move(serve)),
        thread_([this] { accept(); }) {}
  ~Peer() {
    closing_ = true;
    boost::system::error_code ignored;
    tcp::socket last(context_);
    last.connect(acceptor_.local_endpoint(), ignored);
    thread_.join();
  }

  RedisOptions options() const {
    RedisOptions out;
    out.url = "redis://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port());
    return out;
  }
  int connections() const { return connections_; }

 private:
  void accept() {
    while (true) {
      tcp::socket socket = acceptor_.accept();
      if (closing_) return;
      serve_(Line(socket, connections_++));
    }
  }

  asio::io_context context_;
  tcp::acceptor acceptor_;
  const std::function<void(Line)> serve_;
  std::atomic<bool> closing_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

/// Greets, then says `reply` to whatever comes.
Peer peer_that_says(std::string reply) {
  return Peer([reply](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    while (!line.hear().empty()) line.say(reply);
  });
}

TEST(RedisClientFaults, MapsTheErrorsOfServersInTrouble) {
  const std::pair<const char*, ErrorCode> cases[] = {
      {"-MOVED 3999 127.0.0.1:6381\r\n", ErrorCode::unsupported},
      {"-LOADING Redis is loading the dataset in memory\r\n", ErrorCode::unavailable},
      {"-MASTERDOWN Link with MASTER is down\r\n", ErrorCode::unavailable},
      {"-READONLY You can't write against a read only replica.\r\n", ErrorCode::unavailable}};
  for (const auto& [words, code] : cases) {
    Peer peer = peer_that_says(words);
    TestClient client(peer.options());
    for (int i = 0; i < 2; ++i) {
      auto reply = client.ask({"GET", "k"});
      ASSERT_FALSE(reply);
      EXPECT_EQ(reply.error().code, code) << words;
    }
    EXPECT_EQ(peer.connections(), 1) << "an error reply is no reason to connect again";
  }
}

TEST(RedisClientFaults, RefusesToStartWhereTheServerIsStillLoading) {
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("-LOADING Redis is loading the dataset in memory\r\n");
    line.hear();
  });
  auto options = peer.options();
  options.db = 1;
  auto reply = TestClient(options).ask({"GET", "k"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
}

TEST(RedisClientFaults, GivesUpOnAServerThatAcceptsAndSaysNothing) {
  Peer peer([](Peer::Line line) {
    while (!line.hear().empty()) {
    }
  });
  auto options = peer.options();
  options.connect_timeout = milliseconds(100);
  TestClient client(options);
  const auto start = std::chrono::steady_clock::now();
  auto reply = client.ask({"GET", "k"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::deadline_exceeded) << reply.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(2));
}

TEST(RedisClientFaults, GivesUpOnAServerThatDripsAReply) {
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    line.hear();
    line.say("$1000\r\n");
    for (int i = 0; i < 40; ++i) {
      line.say("x");
      std::this_thread::sleep_for(milliseconds(10));
    }
  });
  const auto start = std::chrono::steady_clock::now();
  auto reply = TestClient(peer.options()).ask({"GET", "k"}, milliseconds(100));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::deadline_exceeded) << reply.error().message;
  EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(350));
}

TEST(RedisClientFaults, ClosesAConnectionThatBringsGarbage) {
  for (const char* const garbage :
       {"HTTP/1.1 400 Bad Request\r\n\r\n", "$99999999999\r\n", "*1000000000\r\n", "\r\n\r\n"}) {
    Peer peer = peer_that_says(garbage);
    TestClient client(peer.options());
    for (int i = 1; i <= 2; ++i) {
      auto reply = client.ask({"GET", "k"});
      ASSERT_FALSE(reply);
      EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
      EXPECT_EQ(peer.connections(), i);
    }
  }
  Peer web([](Peer::Line line) {
    line.hear();
    line.say("HTTP/1.1 400 Bad Request\r\n\r\n");
    line.hear();
  });
  EXPECT_FALSE(TestClient(web.options()).ask({"GET", "k"}));
}

TEST(RedisClientFaults, NeverTakesAReplyThatNobodyAskedFor) {
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    line.hear();
    if (line.number() == 0) {
      line.say("+first\r\n+another's secret\r\n");
    } else {
      line.say("+second\r\n");
    }
    line.hear();
  });
  TestClient client(peer.options());
  EXPECT_EQ(client.ask({"GET", "k"})->text, "first");
  auto second = client.ask({"GET", "k"});
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(second->text, "second");
  EXPECT_EQ(peer.connections(), 2);
}

TEST(RedisClientFaults, AsksAgainOnceWhenAnIdleConnectionTurnsOutDead) {
  // Every connection answers one call and dies at the sight of the second.
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    line.hear();
    line.say(":" + std::to_string(line.number()) + "\r\n");
    line.hear();
  });
  TestClient client(peer.options());
  for (int i = 0; i < 3; ++i) {
    auto reply = client.ask({"INCR", "k"});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->integer, i);
  }
}

TEST(RedisClientFaults, AsksNothingTwiceOnceAReplyHasBegun) {
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    line.hear();
    line.say("+OK\r\n");
    if (!line.hear().empty()) line.say("$5\r\nhe");
  });
  TestClient client(peer.options());
  ASSERT_TRUE(client.ask({"GET", "k"}));
  auto reply = client.ask({"GET", "k"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
  EXPECT_EQ(peer.connections(), 1);
}

TEST(RedisClientFaults, AsksNothingTwiceOnAFreshConnection) {
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    line.hear();
  });
  auto reply = TestClient(peer.options()).ask({"GET", "k"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
  EXPECT_EQ(peer.connections(), 1);
}

TEST(RedisClientFaults, LosesOnlyTheLateCallOfASlowServer) {
  // Answers one call every 100 ms.
  Peer peer([](Peer::Line line) {
    line.hear();
    line.say("+OK\r\n");
    for (int i = 0; i < 4; ++i) {
      if (i == 0) line.hear();
      std::this_thread::sleep_for(milliseconds(100));
      line.say(":" + std::to_string(i) + "\r\n");
    }
    line.hear();
  });
  auto endpoint = read_endpoint(peer.options());
  net::Background<Client> background([&](asio::any_io_executor executor) {
    return std::make_unique<Client>(executor, *endpoint, std::make_shared<net::Backoff>());
  });
  std::array<std::promise<TestClient::Replies>, 4> calls;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    background.spawn<std::vector<Reply>>(
        [i](Client& client) {
          return client.run(Pipeline().add({"GET", "k"}), net::after(milliseconds(i == 1 ? 150 : 5'000)));
        },
        [&calls, i](TestClient::Replies replies) { calls[i].set_value(std::move(replies)); });
  }
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto replies = calls[i].get_future().get();
    if (i == 1) {
      ASSERT_FALSE(replies);
      EXPECT_EQ(replies.error().code, ErrorCode::deadline_exceeded);
    } else {
      ASSERT_TRUE(replies) << replies.error().message;
      EXPECT_EQ(replies->front().integer, static_cast<int>(i));
    }
  }
  EXPECT_EQ(peer.connections(), 1);
}

TEST(RedisClientFaults, PassesOverPushesAndAttributes) {
  Peer peer = peer_that_says(">2\r\n+invalidate\r\n*1\r\n+k\r\n|1\r\n+ttl\r\n:1\r\n$1\r\nv\r\n");
  TestClient client(peer.options());
  for (int i = 0; i < 2; ++i) {
    auto reply = client.ask({"GET", "k"});
    ASSERT_TRUE(reply) << reply.error().message;
    EXPECT_EQ(reply->text, "v");
  }
}

TEST(RedisClientFaults, SharesItsBackoffBetweenClients) {
  Peer peer([](Peer::Line) {});
  auto backoff = std::make_shared<net::Backoff>(milliseconds(60'000), milliseconds(60'000));
  TestClient first(peer.options(), backoff), second(peer.options(), backoff);
  EXPECT_FALSE(first.ask({"PING"}));
  EXPECT_FALSE(second.ask({"PING"}));
  EXPECT_FALSE(first.ask({"PING"}));
  EXPECT_EQ(peer.connections(), 1);
}

TEST(RedisClientFaults, ReportsANameThatIsNotThere) {
  RedisOptions options;
  options.url = "redis://no-such-host.invalid";
  auto reply = TestClient(options).ask({"PING"});
  ASSERT_FALSE(reply);
  EXPECT_TRUE(reply.error().code == ErrorCode::unavailable || reply.error().code == ErrorCode::deadline_exceeded)
      << reply.error().message;
}

}  // namespace
}  // namespace sosie::redis
