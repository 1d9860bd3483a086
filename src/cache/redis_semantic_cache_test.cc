// RedisSemanticCache over a real Redis: what it stores, finds and says.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "base/comma_locale.h"
#include "cache/redis_core.h"
#include "cache/redis_fixture.h"
#include "redis/semantic_index.h"

namespace sosie {
namespace {

TEST_F(RedisCacheTest, AnAnswerComesBackByItsTextAndByItsMeaning) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}, {"c", ChosenVectors::at(0.3)}};
  auto cache = open(options());
  set(cache, "k", "a", "answer");
  EXPECT_EQ(embedder_->count, 1u);
  EXPECT_EQ(get(cache, "k", "a"), "answer");
  EXPECT_EQ(embedder_->count, 1u) << "the same text needs no embedding";
  const auto near = cache.get_cache("k", {.prompt = "b"});
  ASSERT_TRUE(near && near->response);
  EXPECT_EQ(*near->response, "answer");
  EXPECT_NEAR(near->similarity, 0.9, 1e-6);
  EXPECT_EQ(embedder_->count, 2u);
  EXPECT_EQ(get(cache, "k", "c"), "");
  const auto stats = cache.stats();
  EXPECT_EQ(stats.exact_hits, 1u);
  EXPECT_EQ(stats.semantic_hits, 1u);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.stored, 1u);
  EXPECT_EQ(stats.embeddings, 3u);
  EXPECT_EQ(stats.faults, 0u);
}

// In a program that calls setlocale(LC_ALL, ""), as many do.
TEST_F(RedisCacheTest, ALocaleWithADecimalCommaChangesNothing) {
  SOSIE_UNDER_COMMA_LOCALE();
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"near", ChosenVectors::at(0.12)}, {"far", ChosenVectors::at(0.31)}};
  auto how = options();
  how.clock = [] { return 1755000000.25; };
  auto cache = open(how);
  set(cache, "k", "a", "answer");
  EXPECT_EQ(get(cache, "k", "far"), "");
  std::map<std::string, std::string> metadata;
  const auto near = cache.get_cache("k", {.prompt = "near", .metadata = &metadata});
  ASSERT_TRUE(near && near->response);
  EXPECT_NEAR(near->similarity, 0.88, 1e-6);
  EXPECT_EQ(near->timestamp, 1755000000.25);
  EXPECT_TRUE(metadata["semantic-similarity"].starts_with("0.8")) << metadata["semantic-similarity"];
  const std::string key = "idx:" + redis::entry_id("a", {{"litellm_cache_key", "k"}});
  EXPECT_EQ(command({"HGET", key, "inserted_at"}).text, "1755000000.25");
}

TEST_F(RedisCacheTest, AnEntryIsWrittenAsLiteLlmWritesIt) {
  auto how = options();
  how.clock = [] { return 1755000000.25; };
  auto cache = open(how);
  ASSERT_TRUE(cache.set_cache("key1", "It's \"Paris\"\né", {.prompt = "capital?", .ttl = 90.7}));
  const std::string key = "idx:" + redis::entry_id("capital?", {{"litellm_cache_key", "key1"}});
  const auto entry = command({"HGETALL", key});
  ASSERT_EQ(entry.items.size(), 14u);
  const auto field = [&](std::string_view name) { return entry.find(name) ? entry.find(name)->text : "(none)"; };
  EXPECT_EQ(field("entry_id"), key.substr(4));
  EXPECT_EQ(field("prompt"), "capital?");
  EXPECT_EQ(field("response"), R"({"timestamp": 1755000000.25, "response": "It's \"Paris\"\né"})");
  EXPECT_EQ(field("prompt_vector").size(), 12u);
  EXPECT_EQ(field("inserted_at"), "1755000000.25");
  EXPECT_EQ(field("updated_at"), "1755000000.25");
  EXPECT_EQ(field("litellm_cache_key"), "key1");
  EXPECT_EQ(command({"TTL", key}).integer, 90);
  const auto info = redis::read_index_info(command({"FT.INFO", "idx"}), "idx");
  EXPECT_TRUE(info.ours);
  EXPECT_EQ(info.dimension, 3u);
  const auto found = cache.get_cache("key1", {.prompt = "capital?"});
  ASSERT_TRUE(found && found->response);
  EXPECT_EQ(*found->response, "It's \"Paris\"\né");
  EXPECT_EQ(found->timestamp, 1755000000.25);
}

TEST_F(RedisCacheTest, AnEntryOfPythonsIsRead) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.05)}};
  auto cache = open(options());
  EXPECT_EQ(get(cache, "k", "a"), "");  // Makes the index.
  const std::string id = redis::entry_id("a", {{"litellm_cache_key", "k"}});
  command({"HSET", "idx:" + id, "entry_id", id, "prompt", "a", "response",
           R"({'timestamp': 1755000000.5, 'response': '{"content":"it\'s \\"Paris\\""}'})", "prompt_vector",
           redis::vector_bytes(ChosenVectors::at(0)), "inserted_at", "1755000000.5", "updated_at", "1755000000.5", "litellm_cache_key", "k"});
  EXPECT_EQ(get(cache, "k", "a"), R"({"content":"it's \"Paris\""})");
  EXPECT_EQ(get(cache, "k", "b"), R"({"content":"it's \"Paris\""})");
}

TEST_F(RedisCacheTest, TheMetadataSaysHowSimilarTheAnswerIs) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.25)}};
  auto cache = open(options(0.7));
  std::map<std::string, std::string> metadata{{"user", "u"}};
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "a", .metadata = &metadata}), "");
  EXPECT_EQ(metadata["semantic-similarity"], "0.0");
  set(cache, "k", "a", "answer");
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "a", .metadata = &metadata}), "answer");
  EXPECT_EQ(metadata["semantic-similarity"], "1.0");
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "b", .metadata = &metadata}), "answer");
  EXPECT_NEAR(std::stod(metadata["semantic-similarity"]), 0.75, 1e-6);
  EXPECT_EQ(metadata["user"], "u");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = R"({"messages":[]})", .metadata = &metadata}), "");
  EXPECT_EQ(metadata["semantic-similarity"], "0.0");
}

TEST_F(RedisCacheTest, AsyncCallsAgreeWithBlockingOnes) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}, {"c", ChosenVectors::at(0.3)}};
  auto cache = open(options());
  ASSERT_TRUE(cache.async_set_cache("k", "answer", {.prompt = "a", .ttl = 100}).get());
  for (const char* prompt : {"a", "b", "c"}) {
    const auto async = cache.async_get_cache("k", {.prompt = prompt}).get();
    const auto sync = cache.get_cache("k", {.prompt = prompt});
    ASSERT_TRUE(async && sync);
    EXPECT_EQ(async->response, sync->response);
    EXPECT_EQ(async->similarity, sync->similarity);
  }
}

TEST_F(RedisCacheTest, ManyCallsAreUnderWayAtOnce) {
  auto cache = open(options());
  std::vector<std::future<Result<void>>> stored;
  for (int i = 0; i < 200; ++i) {
    const std::string prompt = "prompt " + std::to_string(i);
    stored.push_back(cache.async_set_cache("k", "answer " + std::to_string(i), {.prompt = prompt}));
  }
  for (auto& one : stored) EXPECT_TRUE(one.get());
  std::vector<std::future<Result<RedisFound>>> found;
  for (int i = 0; i < 200; ++i) {
    const std::string prompt = "prompt " + std::to_string(i);
    found.push_back(cache.async_get_cache("k", {.prompt = prompt}));
  }
  for (int i = 0; i < 200; ++i) {
    const auto one = found[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(one && one->response);
    EXPECT_EQ(*one->response, "answer " + std::to_string(i));
  }
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; i < 200; i += 8) right += get(cache, "k", "prompt " + std::to_string(i)) == "answer " + std::to_string(i);
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(right, 200);
}

TEST_F(RedisCacheTest, APipelineEmbedsAllItsPromptsInOneCall) {
  auto cache = open(options());
  std::vector<RedisSemanticCache::Item> items;
  for (int i = 0; i < 20; ++i) items.push_back({"k" + std::to_string(i), "answer " + std::to_string(i), {}, "prompt " + std::to_string(i % 5)});
  items.push_back({"none", "never stored", R"({"messages":[]})", std::nullopt});
  command({"CONFIG", "RESETSTAT"});
  ASSERT_TRUE(cache.async_set_cache_pipeline(items, {.ttl = 50}).get());
  EXPECT_EQ(embedder_->calls, 1u);
  EXPECT_EQ(embedder_->count, 5u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(get(cache, "k" + std::to_string(i), "prompt " + std::to_string(i % 5)), "answer " + std::to_string(i));
  EXPECT_EQ(get(cache, "none", "prompt 1"), "");
  EXPECT_EQ(command({"DBSIZE"}).integer, 20);
}

TEST_F(RedisCacheTest, ATtlIsCutToWholeSecondsAndANegativeOneEndsTheEntry) {
  auto cache = open(options());
  const std::string key = "idx:" + redis::entry_id("p", {{"litellm_cache_key", "k"}});
  const auto ttl_after = [&](std::optional<double> ttl) {
    EXPECT_TRUE(cache.set_cache("k", "r", {.prompt = "p", .ttl = ttl}));
    return command({"TTL", key}).integer;
  };
  EXPECT_EQ(ttl_after(std::nullopt), -1);
  EXPECT_EQ(ttl_after(30), 30);
  EXPECT_EQ(ttl_after(1.9), 1);
  EXPECT_EQ(ttl_after(0), -1);
  EXPECT_EQ(ttl_after(0.5), -1);
  EXPECT_EQ(ttl_after(-1), -2);
  const auto before = embedder_->count.load();
  for (const double bad : {std::nan(""), HUGE_VAL}) {
    const auto stored = cache.set_cache("k", "r", {.prompt = "p", .ttl = bad});
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::invalid_argument);
  }
  EXPECT_EQ(embedder_->count, before) << "a bad ttl is found before the embedding is paid for";
  EXPECT_EQ(command({"EXISTS", key}).integer, 0);
}

TEST_F(RedisCacheTest, AMissAndItsAnswerNeedOneEmbedding) {
  auto cache = open(options());
  const auto missed = cache.get_cache("k", {.prompt = "p"});
  ASSERT_TRUE(missed && !missed->response);
  ASSERT_TRUE(cache.set_cache("k", "r", {.prompt = "p", .embedding = missed->embedding}));
  const auto missed_async = cache.async_get_cache("k", {.prompt = "q"}).get();
  ASSERT_TRUE(missed_async);
  EXPECT_EQ(missed_async->embedding.size(), 3u);
  EXPECT_EQ(embedder_->count, 2u);
  EXPECT_EQ(get(cache, "k", "p"), "r");
}

TEST_F(RedisCacheTest, AGivenEmbeddingIsUsedAsItIs) {
  auto cache = open(options());
  const auto vector = ChosenVectors::at(0), near = ChosenVectors::at(0.15);
  ASSERT_TRUE(cache.set_cache("k", "r", {.prompt = "p", .embedding = vector}));
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "other", .embedding = near}), "r");
  EXPECT_EQ(embedder_->count, 0u);
}

TEST_F(RedisCacheTest, ALongPromptIsStoredWithoutAVectorAndFoundByItsVerySameTextOnly) {
  embedder_->window = 2;
  const std::string too_long(2 * Embedder::kLongBytes, 'x'), other = too_long + "y";
  const auto vector = ChosenVectors::at(0);
  auto cache = open(options());
  for (const std::span<const float> given : {std::span<const float>(), std::span<const float>(vector)}) {
    ASSERT_TRUE(cache.set_cache("k", "r", {.prompt = too_long, .embedding = given}));
    EXPECT_EQ(get(cache, "k", too_long), "r");
    EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "short", .embedding = vector}), "");
    EXPECT_EQ(get(cache, "k", RedisCall{.prompt = other, .embedding = vector}), "");
  }
  EXPECT_EQ(embedder_->count, 0u);
  EXPECT_EQ(cache.stats().faults, 0u);

  // Beside a short one, in either order; and the vector that an earlier version gave one answers nobody else.
  std::vector<RedisSemanticCache::Item> items{{"k", "long", {}, other}, {"k", "short", {}, "short"}};
  ASSERT_TRUE(cache.async_set_cache_pipeline(items, {}).get());
  EXPECT_EQ(embedder_->count, 1u);
  EXPECT_EQ(get(cache, "k", other), "long");
  EXPECT_EQ(get(cache, "k", "short"), "short");
  embedder_->window = 1'000'000;
  ASSERT_TRUE(cache.set_cache("k", "r", {.prompt = too_long, .embedding = vector}));
  embedder_->window = 2;
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "near", .embedding = vector}), "");
}

TEST_F(RedisCacheTest, SettingsComeFromArgumentsThenTheEnvironmentWithUpstreamsWords) {
  for (const char* name : {"REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD", "REDIS_URL"}) unsetenv(name);
  const auto error = [](RedisSemanticCacheOptions options) {
    auto opened = RedisSemanticCache::open(std::move(options));
    EXPECT_FALSE(opened);
    return opened ? std::string() : opened.error().message;
  };
  EXPECT_EQ(error({}), "similarity_threshold must be provided, passed None");
  RedisSemanticCacheOptions how;
  how.similarity_threshold = 0.8;
  EXPECT_EQ(error(how), "Missing required Redis configuration: REDIS_HOST. Provide REDIS_HOST or redis_url.");
  how.host = "127.0.0.1";
  EXPECT_EQ(error(how), "Missing required Redis configuration: REDIS_PORT. Provide REDIS_PORT or redis_url.");
  setenv("REDIS_PORT", "6379", 1);
  EXPECT_EQ(error(how), "Missing required Redis configuration: REDIS_PASSWORD. Provide REDIS_PASSWORD or redis_url.");
  setenv("REDIS_PASSWORD", "p@ss/#%:word", 1);
  EXPECT_TRUE(RedisSemanticCache::open(how));
  for (const char* name : {"REDIS_PORT", "REDIS_PASSWORD"}) unsetenv(name);
  for (const double bad : {-0.1, 1.1, std::nan(""), HUGE_VAL}) {
    how.similarity_threshold = bad;
    how.redis_url = server_->url();
    EXPECT_NE(error(how).find("outside [0, 1]"), std::string::npos);
  }
}

TEST_F(RedisCacheTest, BothProtocolsSayTheSame) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}, {"c", ChosenVectors::at(0.3)}};
  for (const char* protocol : {"?protocol=2", "?protocol=3"}) {
    command({"FLUSHALL"});
    auto how = options();
    how.redis_url = server_->url() + protocol;
    auto cache = open(how);
    set(cache, "k", "a", "answer");
    const auto near = cache.get_cache("k", {.prompt = "b"});
    ASSERT_TRUE(near && near->response) << protocol;
    EXPECT_NEAR(near->similarity, 0.9, 1e-6);
    EXPECT_EQ(get(cache, "k", "a"), "answer");
    EXPECT_EQ(get(cache, "k", "c"), "");
    auto again = open(how);  // The index is there already, and recognised.
    EXPECT_EQ(get(again, "k", "b"), "answer");
    EXPECT_EQ(command({"FT._LIST"}).items.size(), 1u) << protocol;
  }
}

TEST_F(RedisCacheTest, AForkedChildTalksOverConnectionsOfItsOwn) {
  auto cache = open(options());
  set(cache, "k", "a", "answer");
  ASSERT_TRUE(cache.async_get_cache("k", {.prompt = "a"}).get());
  const ::pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool good = true;
    for (int i = 0; i < 200; ++i) {
      const std::string prompt = "of the child " + std::to_string(i);
      good &= cache.set_cache("k", prompt, {.prompt = prompt}).has_value();
      const auto found = cache.async_get_cache("k", {.prompt = prompt}).get();
      good &= found && found->response == prompt;
    }
    ::_exit(good ? 0 : 1);
  }
  for (int i = 0; i < 200; ++i) EXPECT_EQ(get(cache, "k", "a"), "answer");
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

TEST_F(RedisCacheTest, AForkedChildMayEndWithoutACall) {
  auto cache = std::make_unique<RedisSemanticCache>(open(options()));
  ASSERT_TRUE(cache->async_get_cache("k", {.prompt = "a"}).get());  // Its thread does not exist in the child.
  const ::pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::alarm(20);
    cache.reset();
    // Nothing may be freed twice either.
    for (int i = 0; i < 8; ++i) std::thread([] {}).join();
    ::_exit(0);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(cache->async_get_cache("k", {.prompt = "a"}).get()) << "the parent's goes on";
}

TEST_F(RedisCacheTest, CompletionsNeverRunWithinTheCall) {
  auto cache = open(options());
  for (const std::string_view request : {R"({"messages":["x"]})", R"({"messages":[]})", R"({"messages":[{"role":"user","content":"a"}]})"}) {
    std::promise<std::thread::id> got, set;
    cache.async_get_cache("k", {.request = request}, [&](const auto&) { got.set_value(std::this_thread::get_id()); });
    EXPECT_NE(got.get_future().get(), std::this_thread::get_id()) << request;
    cache.async_set_cache("k", "answer", {.request = request}, [&](const auto&) { set.set_value(std::this_thread::get_id()); });
    EXPECT_NE(set.get_future().get(), std::this_thread::get_id()) << request;
  }
}

TEST_F(RedisCacheTest, ACompletionMayBeTheLastToUseTheCache) {
  auto cache = std::make_unique<RedisSemanticCache>(open(options()));
  std::promise<void> gone;
  cache->async_get_cache("k", {.prompt = "a"}, [&](const auto&) {
    cache.reset();
    gone.set_value();
  });
  gone.get_future().wait();
}

// Those that are under way, or not begun, when a completion destroys the cache.
TEST_F(RedisCacheTest, CallsOutliveACacheThatACompletionDestroys) {
  constexpr int kCalls = 50;
  auto cache = std::make_unique<RedisSemanticCache>(open(options()));
  set(*cache, "k", "a", "answer");
  std::atomic<int> found{0}, stored{0}, ended{0};
  std::promise<void> all_ended;
  const auto end = [&] {
    if (++ended == 2 * kCalls) all_ended.set_value();
  };
  cache->async_get_cache("k", {.prompt = "a"}, [&](const auto&) {
    for (int i = 0; i < kCalls; ++i) {
      cache->async_get_cache("k", {.prompt = "a"}, [&](const Result<RedisFound>& one) {
        found += one && one->response == "answer";
        end();
      });
      cache->async_set_cache("k", "answer", {.prompt = "b" + std::to_string(i)}, [&](const Result<void>& one) {
        stored += one.has_value();
        end();
      });
    }
    cache.reset();
  });
  all_ended.get_future().wait();
  EXPECT_EQ(found, kCalls);
  EXPECT_EQ(stored, kCalls);
}

TEST_F(RedisCacheTest, AnEmbeddingThatIsLateMayOutliveTheCache) {
  class Slow final : public Embedder {
   public:
    std::size_t dimension() const noexcept override { return 3; }
    std::string_view fingerprint() const noexcept override { return "slow"; }
    std::size_t max_tokens() const noexcept override { return 512; }
    Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      return std::vector<Embedding>(texts.size(), Embedding{.vector = {1, 0, 0}});
    }
  };
  auto how = options();
  how.embedder = std::make_shared<Slow>();
  how.embedding_timeout = std::chrono::milliseconds(20);
  auto cache = open(how);
  const auto late = cache.async_get_cache("k", {.prompt = "a"}).get();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::deadline_exceeded);
}

TEST_F(RedisCacheTest, EveryCallThatEndsInAnErrorIsCounted) {
  auto cache = open(options());
  const RedisCall bad{.request = R"({"messages":["x"]})"};
  EXPECT_FALSE(cache.get_cache("k", bad));
  EXPECT_FALSE(cache.set_cache("k", "answer", bad));
  EXPECT_FALSE(cache.async_set_cache("k", "answer", bad).get());
  EXPECT_FALSE(cache.set_cache("k", "answer", {.prompt = "a", .ttl = std::nan("")}));
  EXPECT_EQ(cache.stats().faults, 4u);
}

TEST_F(RedisCacheTest, MetadataOfAnyBytesIsPassedOnAsJson) {
  auto core = cache::RedisCore::open(options());
  ASSERT_TRUE(core);
  std::map<std::string, std::string> metadata{{"user", "caf\xE9"}};
  const auto question = (*core)->question("k", {.prompt = "a", .metadata = &metadata});
  ASSERT_TRUE(question && *question);
  EXPECT_EQ((*question)->metadata, "{\"user\":\"caf\xEF\xBF\xBD\"}");
}

TEST_F(RedisCacheTest, AValueThatOnlyPythonCanHoldIsAMiss) {
  auto cache = open(options());
  EXPECT_EQ(get(cache, "k", "a"), "");
  const std::string id = redis::entry_id("a", {{"litellm_cache_key", "k"}});
  command({"HSET", "idx:" + id, "entry_id", id, "prompt", "a", "response", "{'timestamp': 1.5, 'response': [1]}", "prompt_vector",
           redis::vector_bytes(ChosenVectors::at(0)), "inserted_at", "1", "updated_at", "1", "litellm_cache_key", "k"});
  std::map<std::string, std::string> metadata;
  const auto found = cache.get_cache("k", {.prompt = "a", .metadata = &metadata});
  ASSERT_TRUE(found);
  EXPECT_FALSE(found->response);
  EXPECT_EQ(found->similarity, 0);
  EXPECT_EQ(metadata["semantic-similarity"], "0.0");
  EXPECT_EQ(cache.stats().exact_hits, 0u);
  EXPECT_EQ(cache.stats().misses, 2u);
}

TEST_F(RedisCacheTest, AnIndexThatVanishesIsMadeAgain) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}};
  auto cache = open(options());
  set(cache, "k", "a", "answer");
  ASSERT_EQ(command({"FT.DROPINDEX", "idx"}).text, "OK");
  EXPECT_TRUE(cache.get_cache("k", {.prompt = "b"}));
  // The entries are still there; the new index takes them in by itself.
  for (int i = 0; i < 200 && get(cache, "k", "b").empty(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(get(cache, "k", "b"), "answer");
}

TEST_F(RedisCacheTest, HnswAnswersFromASecondIndexOverTheSameEntries) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}, {"c", ChosenVectors::at(0.3)}};
  auto plain = open(options());
  set(plain, "k", "a", "answer");
  set(plain, "other", "a", "not for k");
  auto how = options();
  how.index = RedisIndex::hnsw;
  auto cache = open(how);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(get(cache, "k", "b"), "answer") << "exact until the second index is whole";
    EXPECT_EQ(get(cache, "k", "c"), "");
    const auto info = redis::read_index_info(command({"FT.INFO", "sosie_hnsw_idx"}), "sosie_hnsw_idx");
    EXPECT_EQ(info.dimension, 3u);
    if (info.whole && i > 3) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  auto later = open(how);
  command({"CONFIG", "RESETSTAT"});
  EXPECT_EQ(get(later, "k", "b"), "answer");
  EXPECT_EQ(get(later, "other", "b"), "not for k");
  EXPECT_EQ(get(later, "k", "c"), "");
  EXPECT_TRUE(redis::read_index_info(command({"FT.INFO", "idx"}), "idx").ours) << "LiteLLM's own index stays as it is";
}

TEST_F(RedisCacheTest, UpstreamsThresholdsAreReproduced) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(1.4)}};
  const auto with = [&](double threshold) {
    auto how = options(threshold);
    how.compat = Compat::upstream;
    return open(how);
  };
  auto cache = with(0.8);
  set(cache, "k", "a", "answer");
  for (const double never : {1.0000001, 1.5, -1.1, std::nan("")}) {
    auto odd = with(never);
    EXPECT_EQ(get(odd, "k", "a"), "") << never;
    EXPECT_FALSE(odd.set_cache("k", "x", {.prompt = "z"}));
  }
  auto opposite = with(-0.5);
  const auto found = opposite.get_cache("k", {.prompt = "b"});
  ASSERT_TRUE(found && found->response);
  EXPECT_NEAR(found->similarity, -0.4, 1e-6) << "upstream does not clamp";
  auto zero = with(0);
  EXPECT_EQ(get(zero, "k", "b"), "");
}

TEST_F(RedisCacheTest, UpstreamsKeysPromptsAndTopHitAreReproduced) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}, {"", ChosenVectors::at(0)}};
  auto how = options();
  how.compat = Compat::upstream;
  auto cache = open(how);
  set(cache, "with,comma", "a", "answer");
  EXPECT_EQ(get(cache, "with,comma", "a"), "") << "such a key never hits";
  set(cache, "Key", "a", "upper");
  EXPECT_EQ(get(cache, "key", "a"), "");
  set(cache, "e", "", "of an empty prompt");
  EXPECT_EQ(get(cache, "e", ""), "of an empty prompt");
  // A value that cannot be read is a miss that keeps its similarity.
  const std::string id = redis::entry_id("b", {{"litellm_cache_key", "odd"}});
  command({"HSET", "idx:" + id, "entry_id", id, "prompt", "b", "response", "plain text", "prompt_vector", redis::vector_bytes(ChosenVectors::at(0.1)),
           "inserted_at", "1", "updated_at", "1", "litellm_cache_key", "odd"});
  const auto odd = cache.get_cache("odd", {.prompt = "a"});
  ASSERT_TRUE(odd);
  EXPECT_FALSE(odd->response);
  EXPECT_NEAR(odd->similarity, 0.9, 1e-6);
  // An overwrite keeps the life of the entry before it.
  ASSERT_TRUE(cache.set_cache("t", "1", {.prompt = "a", .ttl = 50}));
  ASSERT_TRUE(cache.set_cache("t", "2", {.prompt = "a"}));
  EXPECT_EQ(command({"TTL", "idx:" + redis::entry_id("a", {{"litellm_cache_key", "t"}})}).integer, 50);
}

}  // namespace
}  // namespace sosie
