// Against a real server: what it answers, and what becomes of calls when it goes away.
#include "redis/client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <string>

#include "net/background.h"
#include "redis/test_client.h"
#include "redis/test_server.h"

namespace sosie::redis {
namespace {

using std::chrono::milliseconds;
using Replies = Result<std::vector<Reply>>;

milliseconds since(net::SteadyTime start) {
  return std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
}

class RedisClient : public testing::Test {
 protected:
  void SetUp() override { SOSIE_NEEDS_REDIS(); }

  /// Asks until it answers or `patience` is over; how long that took.
  static milliseconds until_it_answers(TestClient& client, milliseconds patience = milliseconds(10'000)) {
    const auto start = std::chrono::steady_clock::now();
    while (since(start) < patience) {
      if (client.ask({"PING"}, milliseconds(500))) return since(start);
      std::this_thread::sleep_for(milliseconds(5));
    }
    ADD_FAILURE() << "does not recover";
    return patience;
  }
};

TEST_F(RedisClient, AnswersAPipelineInOrder) {
  TestServer server;
  TestClient client(server.options());
  Pipeline commands;
  commands.add({"SET", "k", std::string_view("a\r\n\0b", 5)})
      .add({"GET", "k"})
      .add({"NONSENSE"})
      .add({"GET", "none"})
      .add({"INCR", "n"});
  auto replies = client.run(std::move(commands));
  ASSERT_TRUE(replies) << replies.error().message;
  ASSERT_EQ(replies->size(), 5U);
  EXPECT_EQ((*replies)[0].text, "OK");
  EXPECT_EQ((*replies)[1].text, std::string("a\r\n\0b", 5));
  EXPECT_EQ(to_error((*replies)[2]).code, ErrorCode::unsupported);
  EXPECT_EQ((*replies)[3].kind, Reply::Kind::null);
  EXPECT_EQ((*replies)[4].integer, 1);
  EXPECT_TRUE(client.run(Pipeline()));
}

TEST_F(RedisClient, CarriesLargeValuesBothWays) {
  TestServer server;
  TestClient client(server.options());
  const std::string value(8'000'000, 'v');
  ASSERT_TRUE(client.ask({"SET", "big", value}));
  auto reply = client.ask({"GET", "big"});
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->text, value);
}

TEST_F(RedisClient, TellsTheServerItsNameAndOpensOneConnection) {
  TestServer server;
  TestClient client(server.options());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(client.ask({"PING"}));
  auto list = client.ask({"CLIENT", "LIST"});
  ASSERT_TRUE(list);
  EXPECT_NE(list->text.find("lib-name=sosie"), std::string::npos);
  EXPECT_EQ(std::count(list->text.begin(), list->text.end(), '\n'), 1);
}

TEST_F(RedisClient, ReadsSearchRepliesInBothProtocols) {
  TestServer server;
  for (const char* const protocol : {"?protocol=2", "?protocol=3"}) {
    auto options = server.options();
    options.url += protocol;
    TestClient client(options);
    auto created = client.ask({"FT.CREATE", protocol, "PREFIX", "1", "p:", "SCHEMA", "t", "TEXT"});
    ASSERT_TRUE(created) << created.error().message;
    auto info = client.ask({"FT.INFO", protocol});
    ASSERT_TRUE(info) << info.error().message;
    EXPECT_EQ(info->kind, std::string_view(protocol) == "?protocol=3" ? Reply::Kind::map : Reply::Kind::array);
    const Reply* name = info->find("index_name");
    ASSERT_NE(name, nullptr);
    EXPECT_EQ(name->text, protocol);
    auto hash = client.run(Pipeline().add({"HSET", "p:1", "t", "hello"}).add({"HGETALL", "p:1"}));
    ASSERT_TRUE(hash);
    ASSERT_NE((*hash)[1].find("t"), nullptr);
    EXPECT_EQ((*hash)[1].find("t")->text, "hello");
  }
}

TEST_F(RedisClient, SaysThatTheSearchModuleIsMissing) {
  TestServer server({.with_search = false});
  TestClient client(server.options());
  auto reply = client.ask({"FT.SEARCH", "i", "*"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unsupported);
  EXPECT_NE(reply.error().message.find("search module"), std::string::npos);
}

TEST_F(RedisClient, ChoosesTheDatabase) {
  TestServer server;
  auto options = server.options();
  options.db = 3;
  TestClient third(options), zeroth(server.options());
  ASSERT_TRUE(third.ask({"SET", "k", "v"}));
  EXPECT_EQ(zeroth.ask({"EXISTS", "k"})->integer, 0);
  options.db = 99;
  auto reply = TestClient(options).ask({"PING"});
  EXPECT_FALSE(reply) << "a database that is not there must not be taken for another";
}

TEST_F(RedisClient, SpeaksThroughAUnixSocket) {
  char folder[] = "/tmp/sosie-socket-XXXXXX";
  ASSERT_NE(::mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/s";
  TestServer server({.arguments = {"--unixsocket", path}});
  RedisOptions options;
  options.url = "unix://" + path + "?db=1";
  auto reply = TestClient(options).ask({"PING"});
  EXPECT_TRUE(reply) << reply.error().message;
  std::filesystem::remove_all(folder);
}

TEST_F(RedisClient, LogsInAsTheDefaultUserAndAsAnother) {
  TestServer server({.arguments = {"--requirepass", "pa ss", "--user", "ann", "on", ">s3cret", "~a:*", "+@all"}});
  for (const std::string protocol : {"", "?protocol=3"}) {
    auto options = server.options();
    options.url += protocol;
    auto nobody = TestClient(options).ask({"GET", "k"});
    ASSERT_FALSE(nobody);
    EXPECT_EQ(nobody.error().code, ErrorCode::permission_denied) << nobody.error().message;

    options.password = "pa ss";
    EXPECT_TRUE(TestClient(options).ask({"SET", "b:1", "v"}));
    options.password = "wrong";
    auto wrong = TestClient(options).ask({"GET", "k"});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::permission_denied) << wrong.error().message;
    EXPECT_EQ(wrong.error().message.find("wrong"), std::string::npos);

    options.username = "ann";
    options.password = "s3cret";
    TestClient ann(options);
    EXPECT_TRUE(ann.ask({"SET", "a:1", "v"}));
    auto denied = ann.ask({"SET", "b:1", "v"});
    ASSERT_FALSE(denied);
    EXPECT_EQ(denied.error().code, ErrorCode::permission_denied);
  }
  RedisOptions by_url;
  by_url.url = "redis://ann:s3cr%65t@127.0.0.1:" + std::to_string(server.port()) + "/0";
  EXPECT_TRUE(TestClient(by_url).ask({"GET", "a:1"}));
}

TEST_F(RedisClient, SaysThatTheServerIsFull) {
  TestServer server({.arguments = {"--maxmemory", "1kb"}});
  auto reply = TestClient(server.options()).ask({"SET", "k", "v"});
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::resource_exhausted) << reply.error().message;
}

TEST_F(RedisClient, KeepsManyCallsInFlightApart) {
  TestServer server;
  auto endpoint = read_endpoint(server.options());
  net::Background<Client> background([&](boost::asio::any_io_executor executor) {
    return std::make_unique<Client>(executor, *endpoint, std::make_shared<net::Backoff>());
  });
  constexpr int kCalls = 4'000, kInFlight = 64;
  std::atomic<int> started{0}, right{0}, ended{0};
  std::promise<void> all_ended;
  std::function<void()> start = [&] {
    const int i = started++;
    if (i >= kCalls) return;
    background.spawn<std::vector<Reply>>(
        [i](Client& client) {
          const std::string text = std::to_string(i);
          return client.run(Pipeline().add({"ECHO", text}).add({"ECHO", "x" + text}), net::after(milliseconds(10'000)));
        },
        [&, i](Replies replies) {
          if (replies && (*replies)[0].text == std::to_string(i) && (*replies)[1].text == "x" + std::to_string(i))
            ++right;
          start();
          if (++ended == kCalls) all_ended.set_value();
        });
  };
  for (int i = 0; i < kInFlight; ++i) start();
  ASSERT_EQ(all_ended.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  EXPECT_EQ(right, kCalls);
  EXPECT_NE(server.command({"INFO", "clients"}).find("connected_clients:2"), std::string::npos)
      << "one connection, and redis-cli's";
}

TEST_F(RedisClient, ReplacesAConnectionThatDiedWhileIdle) {
  TestServer server;
  TestClient client(server.options());
  ASSERT_TRUE(client.ask({"PING"}));
  server.restart();
  auto reply = client.ask({"PING"});
  EXPECT_TRUE(reply) << reply.error().message;
  server.command({"CLIENT", "KILL", "TYPE", "normal"});
  reply = client.ask({"PING"});
  EXPECT_TRUE(reply) << reply.error().message;
}

TEST_F(RedisClient, FailsOnlyWhatWasUnderWayWhenTheServerDied) {
  TestServer server;
  TestClient client(server.options());
  ASSERT_TRUE(client.ask({"PING"}));
  std::thread killer([&] {
    std::this_thread::sleep_for(milliseconds(100));
    server.kill();
  });
  const auto start = std::chrono::steady_clock::now();
  auto reply = client.ask({"BLPOP", "never", "0"});
  killer.join();
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, ErrorCode::unavailable) << reply.error().message;
  EXPECT_LT(since(start), milliseconds(2'000));
  server.start();
  EXPECT_LT(until_it_answers(client), milliseconds(2'500));
}

TEST_F(RedisClient, FailsAtOnceWhileItBacksOff) {
  TestServer server;
  TestClient client(server.options());
  ASSERT_TRUE(client.ask({"PING"}));
  server.kill();
  auto refused = client.ask({"PING"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::unavailable) << refused.error().message;
  const auto start = std::chrono::steady_clock::now();
  int failed = 0;
  while (since(start) < milliseconds(300)) {
    const auto before = std::chrono::steady_clock::now();
    auto reply = client.ask({"PING"});
    EXPECT_FALSE(reply);
    EXPECT_LT(since(before), milliseconds(100));
    ++failed;
  }
  EXPECT_GT(failed, 50) << "a refused connection must cost next to nothing";
  server.start();
  EXPECT_LT(until_it_answers(client), milliseconds(2'500));
}

TEST_F(RedisClient, KeepsItsDeadlineWithAServerThatHangs) {
  TestServer server;
  auto options = server.options();
  options.connect_timeout = milliseconds(200);
  TestClient client(options);
  ASSERT_TRUE(client.ask({"PING"}));
  server.stop_answering();
  const auto start = std::chrono::steady_clock::now();
  auto stuck = client.ask({"PING"}, milliseconds(150));
  ASSERT_FALSE(stuck);
  EXPECT_EQ(stuck.error().code, ErrorCode::deadline_exceeded) << stuck.error().message;
  auto connecting = client.ask({"PING"}, milliseconds(150));  // shorter than connecting may take
  ASSERT_FALSE(connecting);
  EXPECT_EQ(connecting.error().code, ErrorCode::deadline_exceeded) << connecting.error().message;
  EXPECT_LT(since(start), milliseconds(1'000));
  auto left_alone = client.ask({"PING"}, milliseconds(150));
  ASSERT_FALSE(left_alone);
  EXPECT_EQ(left_alone.error().code, ErrorCode::unavailable) << left_alone.error().message;
  server.answer_again();
  EXPECT_LT(until_it_answers(client), milliseconds(2'500));
}

TEST_F(RedisClient, NeverHandsALateReplyToAnotherCall) {
  TestServer server;
  TestClient client(server.options());
  ASSERT_TRUE(client.ask({"PING"}));
  auto late = client.ask({"BLPOP", "list", "0"}, milliseconds(50));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
  server.command({"LPUSH", "list", "late"});
  auto next = client.ask({"ECHO", "mine"});
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_EQ(next->text, "mine");
}

TEST_F(RedisClient, ClosesWithCallsUnderWay) {
  TestServer server;
  auto endpoint = read_endpoint(server.options());
  Client* made = nullptr;
  net::Background<Client> background([&](boost::asio::any_io_executor executor) {
    auto client = std::make_unique<Client>(executor, *endpoint, std::make_shared<net::Backoff>());
    made = client.get();
    return client;
  });
  std::promise<Replies> blocked, queued, after;
  const auto ask = [&](std::promise<Replies>& into, std::string_view word) {
    background.spawn<std::vector<Reply>>(
        [word](Client& client) {
          return client.run(Pipeline().add({word, "never", "0"}), net::after(milliseconds(10'000)));
        },
        [&](Replies replies) { into.set_value(std::move(replies)); });
  };
  ask(blocked, "BLPOP");
  ask(queued, "GET");
  background.spawn<int>(
      [](Client& client) -> net::Task<Result<int>> {
        client.close();
        co_return 0;
      },
      [](Result<int>) {});
  EXPECT_EQ(blocked.get_future().get().error().code, ErrorCode::cancelled);
  EXPECT_EQ(queued.get_future().get().error().code, ErrorCode::cancelled);
  ask(after, "GET");
  EXPECT_TRUE(after.get_future().get()) << "a closed client connects again";
}

}  // namespace
}  // namespace sosie::redis
