// Bad days of the server, each with callers at work: nobody waits longer than the deadline, a fault is an error that a caller
// takes for a miss, nothing acknowledged is lost while the server keeps its data, and hits return by themselves.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>

#include "cache/redis_fixture.h"
#include "redis/semantic_index.h"

namespace sosie {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kConnect = 300ms, kCommand = 300ms;
// What a loaded machine may add.
constexpr auto kSlack = 1'500ms;

class RedisFaults : public testing::Test {
 protected:
  /// Blocking and async callers that ask for one known entry over and over, until they are told to stop.
  class Callers {
   public:
    Callers(RedisSemanticCache& cache) : cache_(cache) {
      for (int i = 0; i < 2; ++i) threads_.emplace_back([this, i] { run(i == 1); });
    }
    ~Callers() { stop(); }

    void stop() {
      stopped_ = true;
      for (auto& thread : threads_) {
        if (thread.joinable()) thread.join();
      }
    }

    /// Whether `n` more hits came, from each caller's kind together, before long.
    bool hits_return(std::size_t n = 20) {
      const std::size_t before = hits;
      for (int i = 0; i < 1000 && hits < before + n; ++i) std::this_thread::sleep_for(10ms);
      return hits >= before + n;
    }
    bool faults_come(std::size_t n = 5) {
      const std::size_t before = faults;
      for (int i = 0; i < 1000 && faults < before + n; ++i) std::this_thread::sleep_for(10ms);
      return faults >= before + n;
    }

    Clock::duration longest() {
      const std::lock_guard lock(mutex_);
      return longest_;
    }

    std::atomic<std::size_t> hits{0}, faults{0}, wrong{0};

   private:
    void run(bool async) {
      for (int n = 0; !stopped_; ++n) {
        const auto begin = Clock::now();
        const RedisCall call{.prompt = n % 2 ? "known" : "alike"};
        const auto found = async ? cache_.async_get_cache("k", call).get() : cache_.get_cache("k", call);
        const auto took = Clock::now() - begin;
        {
          const std::lock_guard lock(mutex_);
          longest_ = std::max<Clock::duration>(longest_, took);
        }
        if (!found) {
          ++faults;
          std::this_thread::sleep_for(1ms);
        } else if (found->response) {
          *found->response == "answer" ? ++hits : ++wrong;
        }
      }
    }

    RedisSemanticCache& cache_;
    std::atomic<bool> stopped_{false};
    std::mutex mutex_;
    Clock::duration longest_{0};
    std::vector<std::thread> threads_;
  };

  RedisSemanticCache open(const redis::TestServer& server) { return open(server.url()); }
  RedisSemanticCache open(const std::string& url) {
    embedder_->vectors = {{"known", ChosenVectors::at(0)}, {"alike", ChosenVectors::at(0.05)}};
    RedisSemanticCacheOptions options;
    options.redis_url = url;
    options.similarity_threshold = 0.8;
    options.embedder = embedder_;
    options.index_name = "idx";
    options.connection.connect_timeout = kConnect;
    options.connection.command_timeout = kCommand;
    auto cache = RedisSemanticCache::open(std::move(options));
    EXPECT_TRUE(cache) << cache.error().message;
    return std::move(*cache);
  }

  /// A stream of calls over `fault`, then `cure`.
  void endure(redis::TestServer& server, const std::function<void()>& fault, const std::function<void()>& cure, bool keeps_data) {
    auto cache = open(server);
    ASSERT_TRUE(cache.set_cache("k", "answer", {.prompt = "known"}));
    Callers callers(cache);
    ASSERT_TRUE(callers.hits_return());
    fault();
    EXPECT_TRUE(callers.faults_come());
    cure();
    if (!keeps_data) {
      for (int i = 0; i < 500 && !cache.set_cache("k", "answer", {.prompt = "known"}); ++i) std::this_thread::sleep_for(10ms);
    }
    EXPECT_TRUE(callers.hits_return()) << "hits return by themselves";
    callers.stop();
    EXPECT_EQ(callers.wrong, 0u);
    EXPECT_LT(callers.longest(), kConnect + kCommand + kSlack);
  }

  std::shared_ptr<ChosenVectors> embedder_ = std::make_shared<ChosenVectors>();
};

TEST_F(RedisFaults, KilledInTheMiddleAndStartedEmpty) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  endure(server, [&] { server.kill(); }, [&] { server.start(); }, false);
}

TEST_F(RedisFaults, KilledInTheMiddleAndStartedWithWhatWasAcknowledged) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server({.arguments = {"--appendonly", "yes", "--appendfsync", "always"}});
  endure(server, [&] { server.kill(); }, [&] { server.start(); }, true);
}

TEST_F(RedisFaults, RestartedByItsAdministrator) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server({.arguments = {"--appendonly", "yes"}});
  endure(server, [&] { server.stop(); }, [&] { server.start(); }, true);
}

TEST_F(RedisFaults, AcceptsAndSaysNothing) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  endure(server, [&] { server.stop_answering(); }, [&] { server.answer_again(); }, true);
}

/// Answers each command of one connection, late; and its index comes and goes, so that there is ever one more to send.
class SlowServer {
 public:
  explicit SlowServer(Clock::duration delay) : delay_(delay), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in here = loopback(0);
    socklen_t size = sizeof here;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&here), size), 0);
    EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&here), &size), 0);
    EXPECT_EQ(::listen(listener_, 4), 0);
    port_ = ntohs(here.sin_port);
    thread_ = std::thread([this] { serve(::accept(listener_, nullptr, nullptr)); });
  }
  /// REQUIRES: the client has gone, or never came.
  ~SlowServer() {
    ::shutdown(listener_, SHUT_RDWR);  // wakes whoever waits for a client
    thread_.join();
    ::close(listener_);
  }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }

 private:
  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }

  void serve(int client) {
    char heard[4096];
    for (ssize_t count; (count = ::recv(client, heard, sizeof heard, 0)) > 0;) {
      const std::string_view commands(heard, static_cast<std::size_t>(count));
      if (commands.find("SETINFO") != std::string_view::npos) say(client, "+OK\r\n");
      const std::string_view answer = commands.find("HMGET") != std::string_view::npos       ? "*3\r\n$-1\r\n$-1\r\n$-1\r\n"
                                      : commands.find("FT.INFO") != std::string_view::npos   ? "-Unknown index name\r\n"
                                      : commands.find("FT.CREATE") != std::string_view::npos ? "-Index already exists\r\n"
                                                                                             : "";
      if (answer.empty()) continue;
      std::this_thread::sleep_for(delay_);
      say(client, answer);
    }
    ::close(client);
  }
  static void say(int client, std::string_view bytes) { (void)::send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  const Clock::duration delay_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::thread thread_;
};

TEST_F(RedisFaults, EachAnswerInTimeAndAllOfThemTooLate) {
  for (const bool async : {false, true}) {
    SlowServer server(kCommand * 3 / 4);
    auto cache = open(server.url());
    const auto begin = Clock::now();
    const RedisCall call{.prompt = "known"};
    const auto found = async ? cache.async_get_cache("k", call).get() : cache.get_cache("k", call);
    EXPECT_FALSE(found);
    EXPECT_LT(Clock::now() - begin, kConnect + kCommand + 600ms) << "seven answers take 1.6 s";
  }
}

TEST_F(RedisFaults, AsksForAPasswordFromNowOn) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  const std::string port = std::to_string(server.port());
  endure(
      server,
      [&] {
        server.command({"CONFIG", "SET", "requirepass", "secret"});
        server.command({"-a", "secret", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"});
      },
      [&] { server.command({"-a", "secret", "CONFIG", "SET", "requirepass", ""}); }, true);
}

TEST_F(RedisFaults, OutOfMemoryReadsGoOnAndWritesSaySo) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  auto cache = open(server);
  ASSERT_TRUE(cache.set_cache("k", "answer", {.prompt = "known"}));
  server.command({"CONFIG", "SET", "maxmemory", "1"});
  const auto refused = cache.set_cache("k", "other", {.prompt = "known"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::resource_exhausted);
  const auto found = cache.get_cache("k", {.prompt = "known"});
  ASSERT_TRUE(found && found->response);
  EXPECT_EQ(*found->response, "answer") << "a refused write changes nothing";
  server.command({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_TRUE(cache.set_cache("k", "other", {.prompt = "known"}));
}

TEST_F(RedisFaults, NeverThereCostsNothingAfterTheFirstCalls) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  server.kill();
  auto cache = open(server);
  const auto begin = Clock::now();
  for (int i = 0; i < 200; ++i) {
    EXPECT_FALSE(cache.get_cache("k", {.prompt = "known"}));
    EXPECT_FALSE(cache.set_cache("k", "answer", {.prompt = "known"}));
  }
  EXPECT_LT(Clock::now() - begin, 5s);
  server.start();
  bool stored = false;
  for (int i = 0; i < 500 && !stored; ++i) {
    stored = cache.set_cache("k", "answer", {.prompt = "known"}).has_value();
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(stored);
  const auto found = cache.get_cache("k", {.prompt = "alike"});
  ASSERT_TRUE(found && found->response);
}

// What was acknowledged is there, also where a write was under way when the server died.
TEST_F(RedisFaults, NothingAcknowledgedIsLostOverCrashes) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server({.arguments = {"--appendonly", "yes", "--appendfsync", "always"}});
  auto cache = open(server);
  std::vector<std::string> acknowledged;
  std::atomic<bool> stopped{false};
  std::thread writer([&] {
    for (int i = 0; !stopped; ++i) {
      const std::string prompt = "prompt " + std::to_string(i);
      if (cache.set_cache("k", prompt, {.prompt = prompt, .ttl = 1000})) acknowledged.push_back(prompt);
    }
  });
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(150ms);
    server.kill();
    server.start();
  }
  std::this_thread::sleep_for(300ms);
  stopped = true;
  writer.join();
  ASSERT_GT(acknowledged.size(), 20u);
  std::size_t found_again = 0;
  for (const std::string& prompt : acknowledged) {
    Result<RedisFound> found = Error{};
    for (int i = 0; i < 300 && !found; ++i) {
      found = cache.get_cache("k", {.prompt = prompt});
      if (!found) std::this_thread::sleep_for(10ms);
    }
    found_again += found && found->response == prompt;
    // An entry is whole: with its life, too.
    const std::string key = "idx:" + redis::entry_id(prompt, {{"litellm_cache_key", "k"}});
    if (found_again % 10 == 0) EXPECT_NE(server.command({"TTL", key}), "-1");
  }
  EXPECT_EQ(found_again, acknowledged.size());
}

}  // namespace
}  // namespace sosie
