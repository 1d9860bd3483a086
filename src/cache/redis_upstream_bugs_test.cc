// Every defect known of LiteLLM's RedisSemanticCache and of RedisVL beneath it, as a test of what is done instead. Numbers are
// those of BerriAI/litellm unless another project is named; the last ones were found by running upstream.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>

#include "cache/redis_fixture.h"
#include "redis/semantic_index.h"

namespace sosie {
namespace {

using namespace std::chrono_literals;

class UpstreamBugs : public RedisCacheTest {
 protected:
  std::string tag_key(std::string_view prompt, std::string_view key) {
    return "idx:" + redis::entry_id(prompt, {{"litellm_cache_key", std::string(key)}});
  }

  /// An entry as somebody else wrote it.
  void plant(std::string_view prompt, std::string_view key, std::string_view response, double distance) {
    const std::string id = redis::entry_id(prompt, {{"litellm_cache_key", std::string(key)}});
    command({"HSET", "idx:" + id, "entry_id", id, "prompt", prompt, "response", response, "prompt_vector",
             redis::vector_bytes(ChosenVectors::at(distance)), "inserted_at", "1", "updated_at", "1", "litellm_cache_key", key});
  }
};

// The key held the prompt, so no wording could hit another's entry.
TEST_F(UpstreamBugs, Issue29086_ParaphrasesMeetUnderOneKey) {
  embedder_->vectors = {{"How do I reset it?", ChosenVectors::at(0)}, {"How can I reset it?", ChosenVectors::at(0.05)}};
  auto cache = open(options());
  set(cache, "k", "How do I reset it?", "like this");
  EXPECT_EQ(get(cache, "k", "How can I reset it?"), "like this");
}

// Identical prompts missed at random: float32 self-distances.
TEST_F(UpstreamBugs, Issue31610_TheSameTextAlwaysHits) {
  auto cache = open(options(1));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 100; ++i) {
    const std::string prompt = "prompt " + std::to_string(i);
    embedder_->vectors[prompt] = {normal(random), normal(random), normal(random)};
    set(cache, "k", prompt, "answer " + std::to_string(i));
    EXPECT_EQ(get(cache, "k", prompt), "answer " + std::to_string(i));
  }
}

// Different questions got one answer.
TEST_F(UpstreamBugs, Issue12234_ADifferentQuestionIsAMissSyncAndAsync) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.21)}, {"opposite", ChosenVectors::at(2)}};
  auto cache = open(options(0.8));
  set(cache, "k", "a", "answer");
  for (const char* prompt : {"b", "opposite", "orthogonal"}) {
    EXPECT_EQ(get(cache, "k", prompt), "");
    EXPECT_FALSE(cache.async_get_cache("k", {.prompt = prompt}).get()->response);
  }
}

// acheck() inverted the threshold: an orthogonal prompt hit, and the same text had similarity 0.
TEST_F(UpstreamBugs, RedisVlIssue407_AsyncHasTheSameThreshold) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.1)}};
  auto cache = open(options(0.8));
  set(cache, "k", "a", "answer");
  EXPECT_EQ(cache.async_get_cache("k", {.prompt = "a"}).get()->similarity, 1);
  EXPECT_NEAR(cache.async_get_cache("k", {.prompt = "b"}).get()->similarity, 0.9, 1e-6);
  EXPECT_FALSE(cache.async_get_cache("k", {.prompt = "orthogonal"}).get()->response);
}

// A threshold of 0 counted as none.
TEST_F(UpstreamBugs, RedisVlIssue649_AThresholdOfZeroIsOne) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.99)}, {"c", ChosenVectors::at(1.2)}};
  auto cache = open(options(0));
  set(cache, "k", "a", "answer");
  EXPECT_EQ(get(cache, "k", "b"), "answer");
  EXPECT_EQ(get(cache, "k", "c"), "");
}

// An unescaped "|" made a union: one tenant's query found another's entries.
TEST_F(UpstreamBugs, RedisVlPr717_NoKeyReachesAnothersEntries) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto cache = open(options());
  set(cache, "tenant1", "a", "secret of 1");
  for (const char* key : {"tenant2|tenant1", "*", "tenant*", "tenant1}|@litellm_cache_key:{tenant1", "t?nant1", "%tenant1%", "-tenant2", "", " ",
                          "tenant2,tenant1", "tenant1 ", "TENANT1", "\\", "{", "ten\nant1"}) {
    EXPECT_EQ(get(cache, key, "b"), "") << key;
    EXPECT_EQ(get(cache, key, "a"), "") << key;
  }
  EXPECT_EQ(get(cache, "tenant1", "b"), "secret of 1");
}

// A hit refreshed the entry's life.
TEST_F(UpstreamBugs, RedisVlIssue603_AHitLeavesTheTtlAlone) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto cache = open(options());
  ASSERT_TRUE(cache.set_cache("k", "answer", {.prompt = "a", .ttl = 100}));
  command({"EXPIRE", tag_key("a", "k"), "7"});
  EXPECT_EQ(get(cache, "k", "a"), "answer");
  EXPECT_EQ(get(cache, "k", "b"), "answer");
  EXPECT_LE(command({"TTL", tag_key("a", "k")}).integer, 7);
}

// FT.INFO and FT.CREATE are denied by an ACL of +@read +@write.
TEST_F(UpstreamBugs, RedisVlPr687_AnAclWithoutFtInfoAttachesToTheIndexThatIsThere) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  {
    auto admin = open(options());
    set(admin, "k", "a", "answer");
  }
  command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "+@read", "+@write", "+multi", "+exec", "+ft.search"});
  auto how = options();
  how.connection.username = "app";
  how.connection.password = "pw";
  auto cache = open(how);
  EXPECT_EQ(get(cache, "k", "b"), "answer");
  set(cache, "k", "new", "new answer");
  EXPECT_EQ(get(cache, "k", "new"), "new answer");
  command({"CONFIG", "RESETSTAT"});
  EXPECT_EQ(get(cache, "k", "b"), "answer");
  const std::string stats = command({"INFO", "commandstats"}).text;
  EXPECT_EQ(stats.find("FT.INFO"), std::string::npos) << "nothing is probed on every request";
  command({"ACL", "DELUSER", "app"});
}

// Aliases and wildcards of the embedding model were not resolved, and a bad one crashed or was silently never used.
TEST_F(UpstreamBugs, Issue14889_TheEmbedderIsResolvedWhenTheCacheIsOpened) {
  auto how = options();
  how.embedder = nullptr;
  how.embedding_model = "local/no/such/folder";
  const auto opened = RedisSemanticCache::open(how);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::not_found);
  how.embedding_model = "local/all-MiniLM-L6-v2";
  auto cache = open(how);
  set(cache, "k", "How do I reset my password?", "Settings.");
  EXPECT_EQ(get(cache, "k", "How can I reset my password?"), "Settings.");
  EXPECT_EQ(get(cache, "k", "What is the capital of France?"), "");
  how.embedding_model = "text-embedding-3-small";
  how.embedding_base_url = "not a url";
  EXPECT_FALSE(RedisSemanticCache::open(how));
}

// A dead embedding endpoint blocked requests for minutes.
TEST_F(UpstreamBugs, Pr37742_ADeadEmbeddingEndpointCostsAtMostItsDeadlineThenNothing) {
  auto how = options();
  how.embedder = nullptr;
  how.embedding_model = "some-model";
  how.embedding_base_url = "http://127.0.0.1:9/v1";
  how.embedding_timeout = 300ms;
  auto cache = open(how);
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(cache.get_cache("k", {.prompt = "p" + std::to_string(i)}));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s) << "50 calls, of which at most a few tried the endpoint";
  EXPECT_EQ(cache.stats().faults, 50u);
}

// Long prompts failed to embed, and the cure cut them, so that prompts of equal starts collided.
TEST_F(UpstreamBugs, Pr37367_LongPromptsThatDifferBehindTheWindowDoNotMeet) {
  auto how = options();
  how.embedder = nullptr;
  how.embedding_model = "local/all-MiniLM-L6-v2";
  auto cache = open(how);
  std::string text = "Summarise this report. ";
  for (int i = 0; i < 400; ++i) text += "The pump ran well. ";
  const std::string one = text + "Then it broke.", two = text + "Then it was sold.", three = "Please " + text + "Then it broke.";
  set(cache, "k", one, "It broke.");
  EXPECT_EQ(get(cache, "k", one), "It broke.");
  EXPECT_EQ(get(cache, "k", two), "");
  EXPECT_EQ(get(cache, "k", three), "") << "what lies behind the window is not the same";
}

TEST_F(UpstreamBugs, Issue28272_TheResponsesApisInputIsThePrompt) {
  auto cache = open(options());
  const char* request = R"({"input":[{"role":"user","content":[{"type":"input_text","text":" hello "}]}]})";
  ASSERT_TRUE(cache.set_cache("k", R"({"object":"response","output":[]})", {.request = request}));
  EXPECT_EQ(command({"HGET", tag_key("hello", "k"), "prompt"}).text, "hello");
  EXPECT_NE(get(cache, "k", RedisCall{.request = request}), "");
}

// List content crashed.
TEST_F(UpstreamBugs, Issue9265_NoShapeOfMessagesFails) {
  auto cache = open(options());
  const char* list = R"({"messages":[{"role":"user","content":[{"type":"text","text":"hello"},"odd",null,{"type":"text","text":"world"}]}]})";
  ASSERT_TRUE(cache.set_cache("k", "answer", {.request = list}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = list}), "answer");
  for (const char* odd : {R"({"messages":"hello"})", R"({"messages":[null]})", R"({"messages":[1]})", "{", "[]", ""}) {
    const auto found = cache.get_cache("k", {.request = odd});
    EXPECT_TRUE(!found || !found->response) << odd;
  }
}

// The turns of an agent share most of their text, so that a stale turn was replayed.
TEST_F(UpstreamBugs, Issue21906_ALongSharedHistoryDoesNotCarryAnAnswer) {
  const auto chat = [](std::string history, std::string last, std::string role = "user") {
    return R"({"messages":[{"role":"user","content":")" + history + R"("},{"role":"assistant","content":"Done."},{"role":")" + role + R"(","content":")" +
           last + R"("}]})";
  };
  const std::string history(400, 'h');
  embedder_->vectors = {{history + "Done.delete file A", ChosenVectors::at(0)},
                        {history + "Done.delete file B", ChosenVectors::at(0.03)},
                        {history + "Done.remove file A", ChosenVectors::at(0.002)},
                        {"H" + history + "Done.delete file A", ChosenVectors::at(0.001)}};
  auto cache = open(options(0.8));
  ASSERT_TRUE(cache.set_cache("k", "A is gone", {.request = chat(history, "delete file A")}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat(history, "delete file A")}), "A is gone");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat(history, "delete file B")}), "") << "a distance of 0.03 over 4 % of the text";
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat(history, "remove file A")}), "A is gone");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat("H" + history, "delete file A")}), "") << "another history";
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat(history, "remove file A", "tool")}), "") << "an agent's turn: only the same text";
}

// The other direction: the first question of a conversation is not answered from its later turns.
TEST_F(UpstreamBugs, Issue21906_AFirstQuestionIsNotAnsweredFromALaterTurn) {
  const std::string text(400, 't');
  const auto ask = [](const std::string& question) { return R"({"messages":[{"role":"user","content":")" + question + R"("}]})"; };
  const std::string later = R"({"messages":[{"role":"user","content":")" + text +
                            R"("},{"role":"assistant","content":"Short."},{"role":"user","content":"Now in French."}]})";
  embedder_->vectors = {{text, ChosenVectors::at(0)}, {text + "?", ChosenVectors::at(0.001)}, {text + "Short.Now in French.", ChosenVectors::at(0.03)}};
  auto cache = open(options(0.9));
  ASSERT_TRUE(cache.set_cache("k", "Bref.", {.request = later}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = ask(text)}), "");
  ASSERT_TRUE(cache.set_cache("k", "Short.", {.request = ask(text + "?")}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = ask(text)}), "Short.") << "a mark behind it is no other turn";
}

// Instructions were compared by meaning, like all else: "answer in French" is near "answer in German".
TEST_F(UpstreamBugs, Issue21906_InstructionsMustBeTheSame) {
  const auto chat = [](std::string instructions, std::string question) {
    return R"({"messages":[{"role":"system","content":")" + instructions + R"("},{"role":"user","content":")" + question + R"("}]})";
  };
  embedder_->vectors = {{"In French.What is it?", ChosenVectors::at(0)}, {"In German.What is it?", ChosenVectors::at(0.01)},
                        {"In French.What's it?", ChosenVectors::at(0.15)},  {"What is it?In French.", ChosenVectors::at(0.02)},
                        {"What is it?In German.", ChosenVectors::at(0.03)}, {"What's it?In French.", ChosenVectors::at(0.04)}};
  auto cache = open(options(0.8));
  ASSERT_TRUE(cache.set_cache("k", "un chat", {.request = chat("In French.", "What is it?")}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat("In German.", "What is it?")}), "");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = chat("In French.", "What's it?")}), "un chat");
  const auto behind = [](std::string question, std::string instructions) {
    return R"({"messages":[{"role":"user","content":")" + question + R"("},{"role":"developer","content":")" + instructions + R"("}]})";
  };
  ASSERT_TRUE(cache.set_cache("k2", "un chat", {.request = behind("What is it?", "In French.")}));
  EXPECT_EQ(get(cache, "k2", RedisCall{.request = behind("What is it?", "In German.")}), "");
  EXPECT_EQ(get(cache, "k2", RedisCall{.request = behind("What's it?", "In French.")}), "un chat");
}

TEST_F(UpstreamBugs, Issue19575_KeysAndNamespacesAreIsolated) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto cache = open(options());
  set(cache, "ns1:0123", "a", "of ns1");
  set(cache, "ns2:0123", "a", "of ns2");
  EXPECT_EQ(get(cache, "ns1:0123", "b"), "of ns1");
  EXPECT_EQ(get(cache, "ns2:0123", "b"), "of ns2");
  EXPECT_EQ(get(cache, "0123", "b"), "");
}

TEST_F(UpstreamBugs, Issue12401_AServerWithoutTheModuleIsToldWithTheWayOut) {
  redis::TestServer bare({.with_search = false});
  auto how = options();
  how.redis_url = bare.url();
  auto cache = open(how);
  const auto found = cache.get_cache("k", {.prompt = "p"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::unsupported);
  EXPECT_NE(found.error().message.find("search module"), std::string::npos);
  EXPECT_EQ(embedder_->count, 0u) << "no embedding is paid for";
}

TEST_F(UpstreamBugs, Issue11318_AnAclUserAndADatabaseAreHonoured) {
  command({"ACL", "SETUSER", "someone", "on", ">p@ss:/#%word", "~*", "+@all"});
  auto how = options();
  how.connection.username = "someone";
  how.connection.password = "p@ss:/#%word";
  auto cache = open(how);
  set(cache, "k", "p", "answer");
  EXPECT_EQ(get(cache, "k", "p"), "answer");
  how.connection.password = "wrong";
  auto refused = open(how);
  const auto found = refused.get_cache("k", {.prompt = "p"});
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, ErrorCode::permission_denied);
  EXPECT_EQ(found.error().message.find("wrong"), std::string::npos) << "no secret in an error";
  command({"ACL", "DELUSER", "someone"});
}

TEST_F(UpstreamBugs, Found1_ImagesKeepEntriesApartAndAnEmptyPromptIsNeverEmbedded) {
  const auto image = [](std::string text, std::string url) {
    return R"({"messages":[{"role":"user","content":[)" + (text.empty() ? "" : R"({"type":"text","text":")" + text + R"("},)") +
           R"({"type":"image_url","image_url":{"url":")" + url + R"("}}]}]})";
  };
  auto cache = open(options());
  ASSERT_TRUE(cache.set_cache("k", "a cat", {.request = image("", "http://x/cat.png")}));
  EXPECT_EQ(embedder_->count, 0u);
  EXPECT_EQ(command({"DBSIZE"}).integer, 0);
  EXPECT_EQ(get(cache, "k", RedisCall{.request = image("", "http://x/dog.png")}), "");
  ASSERT_TRUE(cache.set_cache("k", "a cat", {.request = image("What is it?", "http://x/cat.png")}));
  EXPECT_EQ(get(cache, "k", RedisCall{.request = image("What is it?", "http://x/cat.png")}), "a cat");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = image("What is it?", "http://x/dog.png")}), "");
  EXPECT_EQ(get(cache, "k", "What is it?"), "");
}

TEST_F(UpstreamBugs, Found2_AThresholdOfOneMeansTheSameTextAndNoOther) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0)}};
  auto cache = open(options(1));
  set(cache, "k", "a", "answer");
  EXPECT_EQ(get(cache, "k", "a"), "answer");
  EXPECT_EQ(get(cache, "k", "b"), "");
}

TEST_F(UpstreamBugs, Found3_AnIndexThatCannotBeBuiltCostsNoEmbeddingOnEveryRequest) {
  command({"ACL", "SETUSER", "app", "on", ">pw", "~*", "+@read", "+@write", "+multi", "+exec", "+ft.search", "+ft.info"});
  auto how = options();
  how.connection.username = "app";
  how.connection.password = "pw";
  auto cache = open(how);
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(cache.get_cache("k", {.prompt = "p" + std::to_string(i)}));
  EXPECT_EQ(embedder_->count, 0u);
  command({"ACL", "DELUSER", "app"});
}

TEST_F(UpstreamBugs, Found4_AnOverwriteSetsTheLifeAnewAndAtOnce) {
  auto cache = open(options());
  ASSERT_TRUE(cache.set_cache("k", "1", {.prompt = "p", .ttl = 50}));
  ASSERT_TRUE(cache.set_cache("k", "2", {.prompt = "p"}));
  EXPECT_EQ(command({"TTL", tag_key("p", "k")}).integer, -1);
  ASSERT_TRUE(cache.set_cache("k", "3", {.prompt = "p", .ttl = 60}));
  EXPECT_EQ(command({"TTL", tag_key("p", "k")}).integer, 60);
  EXPECT_EQ(get(cache, "k", "p"), "3");
}

TEST_F(UpstreamBugs, Found5_AGoodHitBehindABadOneIsFound) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}};
  auto cache = open(options());
  EXPECT_EQ(get(cache, "key", "a"), "");
  plant("unreadable", "key", "plain text", 0.01);
  plant("other case", "KEY", R"({"timestamp": 1, "response": "of KEY"})", 0.02);
  plant("good", "key", R"({"timestamp": 1, "response": "good"})", 0.05);
  EXPECT_EQ(get(cache, "key", "a"), "good");
  auto upstream = options();
  upstream.compat = Compat::upstream;
  auto like_upstream = open(upstream);
  EXPECT_EQ(get(like_upstream, "key", "a"), "");
}

TEST_F(UpstreamBugs, Found6_OnlyAReturnedHitHasASimilarityAndItIsClamped) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}};
  auto cache = open(options());
  EXPECT_EQ(get(cache, "k", "a"), "");
  plant("unreadable", "k", "plain text", 0.01);
  std::map<std::string, std::string> metadata;
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "a", .metadata = &metadata}), "");
  EXPECT_EQ(metadata["semantic-similarity"], "0.0");
  EXPECT_EQ(get(cache, "k", RedisCall{.prompt = "a", .metadata = nullptr}), "");
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 50; ++i) {  // Self-distances of float32 vectors are sometimes below 0.
    const std::string one = "one " + std::to_string(i), two = "two " + std::to_string(i);
    embedder_->vectors[one] = embedder_->vectors[two] = {normal(random), normal(random), normal(random)};
    set(cache, one, one, "r");
    const auto found = cache.get_cache(one, {.prompt = two});
    ASSERT_TRUE(found && found->response);
    EXPECT_LE(found->similarity, 1);
  }
}

TEST_F(UpstreamBugs, Found7_ALongerIndexNameIsAnotherCache) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto one = open(options());
  auto how = options();
  how.index_name = "idx2";
  auto two = open(how);
  set(two, "k", "a", "of idx2");
  EXPECT_EQ(get(one, "k", "a"), "");
  for (int i = 0; i < 200 && command({"FT.SEARCH", "idx", "*"}).items.front().integer == 0; ++i) ::usleep(10'000);  // It takes in both.
  EXPECT_EQ(get(one, "k", "b"), "");
  set(one, "k", "a", "of idx");
  EXPECT_EQ(get(one, "k", "b"), "of idx");
  EXPECT_EQ(get(two, "k", "b"), "of idx2");
}

TEST_F(UpstreamBugs, Found8_AnotherDimensionNeverDropsAnIndexThatIsInUse) {
  class Wider final : public Embedder {
   public:
    std::size_t dimension() const noexcept override { return 5; }
    std::string_view fingerprint() const noexcept override { return "wider"; }
    std::size_t max_tokens() const noexcept override { return 1000; }
    Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
      return std::vector<Embedding>(texts.size(), Embedding{.vector = {0, 0, 0, 0, 1}});
    }
  };
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto narrow = open(options());
  set(narrow, "k", "a", "narrow");
  // Somebody's "_isolated" index of yet another dimension is in use, too.
  redis::Pipeline ignored;
  command({"FT.CREATE", "idx_isolated", "ON", "HASH", "PREFIX", "1", "idx_isolated", "SCHEMA", "prompt_vector", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32",
           "DIM", "7", "DISTANCE_METRIC", "COSINE"});
  auto how = options();
  how.embedder = std::make_shared<Wider>();
  auto wide = open(how);
  set(wide, "k", "a", "wide");
  EXPECT_EQ(get(wide, "k", "another"), "wide");
  EXPECT_EQ(get(narrow, "k", "b"), "narrow");
  EXPECT_EQ(redis::read_index_info(command({"FT.INFO", "idx"}), "idx").dimension, 3u);
  EXPECT_EQ(redis::read_index_info(command({"FT.INFO", "idx_isolated"}), "idx_isolated").dimension, 7u);
}

TEST_F(UpstreamBugs, Found8_AnOldIndexWithoutIsolationSendsUsToIsolated) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  command({"FT.CREATE", "idx", "ON", "HASH", "PREFIX", "1", "idx", "SCORE", "1.0", "SCHEMA", "prompt", "TEXT", "response", "TEXT", "inserted_at", "NUMERIC",
           "updated_at", "NUMERIC", "prompt_vector", "VECTOR", "FLAT", "6", "TYPE", "FLOAT32", "DIM", "3", "DISTANCE_METRIC", "COSINE"});
  auto cache = open(options());
  set(cache, "k", "a", "answer");
  EXPECT_EQ(command({"EXISTS", "idx_isolated:" + redis::entry_id("a", {{"litellm_cache_key", "k"}})}).integer, 1);
  EXPECT_EQ(get(cache, "k", "b"), "answer");
  EXPECT_EQ(get(cache, "k", "a"), "answer");
}

TEST_F(UpstreamBugs, Found9_TheIndexKeepsNothingForFullTextSearch) {
  auto cache = open(options());
  set(cache, "k", "a", "answer");
  const auto info = command({"FT.INFO", "idx"});
  const auto* kept = info.find("index_options");
  ASSERT_NE(kept, nullptr);
  std::string all;
  for (const auto& item : kept->items) all += item.text + " ";
  for (const char* option : {"NOOFFSETS", "NOFREQS", "NOFIELDS"}) EXPECT_NE(all.find(option), std::string::npos) << all;
  EXPECT_TRUE(redis::read_index_info(info, "idx").ours);
}

TEST_F(UpstreamBugs, Found10_AnAnswerGoesOnlyToItsKindOfCall) {
  embedder_->vectors = {{"hi", ChosenVectors::at(0)}, {"hello", ChosenVectors::at(0.01)}};
  auto cache = open(options());
  const auto chat = [](std::string text) { return R"({"messages":[{"role":"user","content":")" + text + R"("}]})"; };
  const auto responses = [](std::string text) { return R"({"input":")" + text + R"("})"; };
  ASSERT_TRUE(cache.set_cache("k", R"({"object":"chat.completion","choices":[]})", {.request = chat("hi")}));
  EXPECT_NE(get(cache, "k", RedisCall{.request = chat("hello")}), "");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = responses("hello")}), "");
  EXPECT_EQ(get(cache, "k", RedisCall{.request = responses("hi")}), "");
  const auto stored = cache.set_cache("k2", R"({"object":"list","data":[{"object":"embedding","embedding":[0.1]}]})", {.request = responses("hi")});
  ASSERT_FALSE(stored) << "the vector of a similar text is no answer";
  EXPECT_EQ(command({"EXISTS", tag_key("hi", "k2")}).integer, 0);
}

TEST_F(UpstreamBugs, Found11_KeysThatTheServerWouldSplitOrTrimHit) {
  embedder_->vectors = {{"a", ChosenVectors::at(0)}, {"b", ChosenVectors::at(0.01)}};
  auto cache = open(options());
  int i = 0;
  for (const char* key : {"a,b", "a`b", "a\tb", "a\nb", " a", "a ", "", "Case", "case", "a b", "日本", "a|b"}) {
    const std::string answer = "answer " + std::to_string(i++);
    set(cache, key, "a", answer);
    EXPECT_EQ(get(cache, key, "a"), answer) << key;
    EXPECT_EQ(get(cache, key, "b"), answer) << key;
  }
}

}  // namespace
}  // namespace sosie
