// redis_fixture.h: RedisSemanticCache over a real server with the search module, for tests.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/lanes.h"
#include "redis/client.h"
#include "redis/test_server.h"
#include "sosie/redis_semantic_cache.h"

namespace sosie {

/// Gives each text the vector that the test chose for it, and counts. A text without one gets a vector of its own.
class ChosenVectors final : public Embedder {
 public:
  std::size_t dimension() const noexcept override { return 3; }
  std::string_view fingerprint() const noexcept override { return "chosen"; }
  std::size_t max_tokens() const noexcept override { return window; }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
    ++calls;
    std::vector<Embedding> out;
    for (const std::string_view text : texts) {
      ++count;
      const auto chosen = vectors.find(std::string(text));
      out.push_back({.vector = chosen != vectors.end() ? chosen->second : far(text)});
    }
    return out;
  }

  /// A unit vector whose cosine distance to (1, 0, 0) is `distance`.
  static std::vector<float> at(double distance) {
    const double cosine = 1 - distance;
    return {static_cast<float>(cosine), static_cast<float>(std::sqrt(std::max(0.0, 1 - cosine * cosine))), 0};
  }

  std::map<std::string, std::vector<float>> vectors;
  std::size_t window = 1'000'000;
  mutable std::atomic<std::size_t> count{0}, calls{0};

 private:
  /// Orthogonal to (1, 0, 0), in a direction that depends on the text.
  static std::vector<float> far(std::string_view text) {
    const double angle = static_cast<double>(std::hash<std::string_view>{}(text) % 10'000) / 10'000.0 * 6.283;
    return {0, static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
  }
};

/// One server for all tests of the binary, emptied before each; tests that break a server start their own.
class RedisCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    SOSIE_NEEDS_REDIS();
    static redis::TestServer shared;
    server_ = &shared;
    ASSERT_EQ(command({"FLUSHALL"}).text, "OK");
  }

  RedisSemanticCacheOptions options(double threshold = 0.8) const {
    RedisSemanticCacheOptions options;
    options.redis_url = server_->url();
    options.similarity_threshold = threshold;
    options.embedder = embedder_;
    options.index_name = "idx";
    return options;
  }

  static RedisSemanticCache open(RedisSemanticCacheOptions options) {
    auto cache = RedisSemanticCache::open(std::move(options));
    EXPECT_TRUE(cache) << cache.error().message;
    return std::move(*cache);
  }

  /// The answer's text; "" for a miss.
  static std::string get(RedisSemanticCache& cache, std::string_view key, std::string_view prompt) {
    return get(cache, key, RedisCall{.prompt = prompt});
  }
  static std::string get(RedisSemanticCache& cache, std::string_view key, const RedisCall& call) {
    const auto found = cache.get_cache(key, call);
    EXPECT_TRUE(found) << found.error().message;
    return found && found->response ? *found->response : "";
  }
  static void set(RedisSemanticCache& cache, std::string_view key, std::string_view prompt, std::string_view response) {
    const auto stored = cache.set_cache(key, response, {.prompt = prompt});
    EXPECT_TRUE(stored) << stored.error().message;
  }

  redis::Reply command(std::initializer_list<std::string_view> words) const { return command(server_->url(), words); }

  static redis::Reply command(const std::string& url, std::initializer_list<std::string_view> words) {
    auto endpoint = redis::read_endpoint({.url = url});
    EXPECT_TRUE(endpoint) << endpoint.error().message;
    net::Lanes<redis::Client> lanes(1, [&](net::Executor executor) {
      return std::make_unique<redis::Client>(executor, *endpoint, std::make_shared<net::Backoff>());
    });
    redis::Pipeline pipeline;
    pipeline.add(words);
    const std::function<net::Task<Result<std::vector<redis::Reply>>>(redis::Client&)> job = [&](redis::Client& client) {
      return client.run(pipeline, net::after(std::chrono::seconds(5)));
    };
    auto replies = lanes.run<std::vector<redis::Reply>>(job, net::after(std::chrono::seconds(5)));
    EXPECT_TRUE(replies) << replies.error().message;
    return replies ? replies->front() : redis::Reply{};
  }

  std::shared_ptr<ChosenVectors> embedder_ = std::make_shared<ChosenVectors>();
  redis::TestServer* server_ = nullptr;
};

}  // namespace sosie
