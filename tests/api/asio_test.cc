// The optional Asio header, with the tokens that programs use.
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "redis/test_server.h"
#include "sosie/asio/redis_semantic_cache.h"

namespace sosie {
namespace {

namespace asio = boost::asio;

Result<RedisSemanticCache> open(const redis::TestServer& server) {
  return RedisSemanticCache::open({.redis_url = server.url(), .similarity_threshold = 0.85, .embedding_model = "local/all-MiniLM-L6-v2"});
}

asio::awaitable<void> store_and_ask(RedisSemanticCache& cache, std::string& answer, std::thread::id& where) {
  auto stored = co_await async_set_cache(cache, "key", "Settings, Security, Reset.", {.prompt = "How do I reset my password?"}, asio::use_awaitable);
  EXPECT_TRUE(stored);
  auto found = co_await async_get_cache(cache, "key", {.prompt = "How can I reset my password?"}, asio::use_awaitable);
  where = std::this_thread::get_id();
  if (found && found->response) answer = *found->response;
}

TEST(AsioTokens, ACoroutineGoesOnInItsOwnExecutor) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  auto cache = open(server);
  ASSERT_TRUE(cache) << cache.error().message;
  asio::io_context loop;
  std::string answer;
  std::thread::id where;
  asio::co_spawn(loop, store_and_ask(*cache, answer, where), [](std::exception_ptr failure) { EXPECT_FALSE(failure); });
  loop.run();
  EXPECT_EQ(answer, "Settings, Security, Reset.");
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(AsioTokens, AFutureIsOne) {
  SOSIE_NEEDS_REDIS();
  redis::TestServer server;
  auto cache = open(server);
  ASSERT_TRUE(cache) << cache.error().message;
  std::vector<RedisSemanticCache::Item> items{{"k1", "one", {}, "first question"}, {"k2", "two", {}, "second question"}};
  ASSERT_TRUE(async_set_cache_pipeline(*cache, items, {}, asio::use_future).get());
  const auto found = async_get_cache(*cache, "k2", {.prompt = "second question"}, asio::use_future).get();
  ASSERT_TRUE(found && found->response);
  EXPECT_EQ(*found->response, "two");
}

}  // namespace
}  // namespace sosie
