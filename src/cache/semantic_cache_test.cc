// The cache with the real encoder and the real store.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <thread>

#include "sosie/cache.h"

namespace sosie {
namespace {

using namespace std::chrono_literals;

/// The local encoder, opened once for all tests, and a count of the texts that it is given.
class CountingEncoder final : public Embedder {
 public:
  static std::shared_ptr<CountingEncoder> instance() {
    static const auto shared = [] {
      auto opened = open_local_encoder({});
      if (!opened) throw std::runtime_error(opened.error().message);
      return std::make_shared<CountingEncoder>(*opened);
    }();
    return shared;
  }

  explicit CountingEncoder(std::shared_ptr<Embedder> real) : real_(std::move(real)) {}
  std::size_t dimension() const noexcept override { return real_->dimension(); }
  std::string_view fingerprint() const noexcept override { return fingerprint_.empty() ? real_->fingerprint() : fingerprint_; }
  std::size_t max_tokens() const noexcept override { return real_->max_tokens(); }
  Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
    count += texts.size();
    return real_->embed(texts);
  }

  /// The same vectors under another name: what another model of the same dimension looks like to the cache.
  std::shared_ptr<CountingEncoder> renamed(std::string fingerprint) const {
    auto other = std::make_shared<CountingEncoder>(real_);
    other->fingerprint_ = std::move(fingerprint);
    return other;
  }

  mutable std::atomic<std::size_t> count{0};

 private:
  std::shared_ptr<Embedder> real_;
  std::string fingerprint_;
};

class SemanticCacheTest : public ::testing::Test {
 protected:
  SemanticCache open(CacheOptions options = {}) {
    if (!options.embedder) options.embedder = encoder_;
    options.clock = [this] { return now_; };
    auto cache = SemanticCache::open(std::move(options));
    EXPECT_TRUE(cache) << cache.error().message;
    return std::move(*cache);
  }

  static Lookup lookup(const SemanticCache& cache, const Query& query, const LookupOptions& how = {}) {
    auto found = cache.lookup(query, how);
    EXPECT_TRUE(found) << found.error().message;
    return found ? *found : Lookup{};
  }

  static EntryId store(SemanticCache& cache, const Query& query, std::string_view response, const StoreOptions& how = {}) {
    auto id = cache.store(query, response, how);
    EXPECT_TRUE(id) << id.error().message;
    return id ? *id : EntryId{};
  }

  std::shared_ptr<CountingEncoder> encoder_ = CountingEncoder::instance();
  TimePoint now_{1'700'000'000'000ms};
};

constexpr std::string_view kQuestion = "How do I reset my password?";
constexpr std::string_view kParaphrase = "How can I reset my password?";
constexpr std::string_view kOther = "What is the capital of France?";

TEST_F(SemanticCacheTest, AnEntryForTheSameTextOnlyIsNeitherEmbeddedNorFoundByMeaning) {
  auto cache = open();
  const auto before = encoder_->count.load();
  const auto id = store(cache, {.prompt = kQuestion, .scope = "s"}, "exactly", {.exact_only = true});
  EXPECT_EQ(encoder_->count.load(), before);
  EXPECT_EQ(cache.stats().embeddings, 0u);
  const auto same = lookup(cache, {.prompt = kQuestion, .scope = "s"});
  ASSERT_TRUE(same.hit());
  EXPECT_TRUE(same.hits[0].entry->exact_only);
  EXPECT_EQ(same.hits[0].layer, Layer::exact);
  for (const auto prompt : {kQuestion, kParaphrase}) {
    const auto by_meaning = lookup(cache, {.prompt = prompt, .scope = "s"}, {.layers = Layers::semantic});
    EXPECT_FALSE(by_meaning.hit());
    EXPECT_EQ(by_meaning.reason, MissReason::empty_scope);
  }

  // Whichever is stored last is what there is.
  EXPECT_EQ(store(cache, {.prompt = kQuestion, .scope = "s"}, "by meaning"), id);
  EXPECT_TRUE(lookup(cache, {.prompt = kParaphrase, .scope = "s"}).hit());
  EXPECT_EQ(store(cache, {.prompt = kQuestion, .scope = "s"}, "exactly", {.exact_only = true}), id);
  EXPECT_FALSE(lookup(cache, {.prompt = kParaphrase, .scope = "s"}).hit());
  EXPECT_EQ(cache.stats().entries, 1u);
}

TEST_F(SemanticCacheTest, ALongPromptIsNeverEmbeddedAndFoundByItsVerySameTextOnly) {
  auto cache = open();
  const std::size_t bound = encoder_->max_tokens() * Embedder::kLongBytes;
  const std::string text = "How do I reset it? ";
  std::string longest;
  while (longest.size() < bound) longest += text;
  longest.resize(bound - 1, 'x');
  const std::string too_long = longest + "x", other = "Now: " + too_long;
  const auto embedding = *cache.embed(kQuestion);
  const auto before = encoder_->count.load();
  EXPECT_EQ(lookup(cache, {.prompt = too_long}).reason, MissReason::long_prompt);
  EXPECT_EQ(lookup(cache, {.prompt = too_long}, {.layers = Layers::semantic, .embedding = embedding}).reason, MissReason::long_prompt);
  EXPECT_EQ(lookup(cache, {.prompt = too_long}, {.layers = Layers::exact}).reason, MissReason::not_exact);
  store(cache, {.prompt = too_long}, "exactly", {.embedding = embedding});
  for (const Layers layers : {Layers::exact_then_semantic, Layers::exact, Layers::semantic}) {
    const auto same = lookup(cache, {.prompt = too_long}, {.layers = layers});
    ASSERT_TRUE(same.hit());
    EXPECT_EQ(same.hits[0].layer, Layer::exact);
    EXPECT_TRUE(same.hits[0].entry->exact_only);
  }
  EXPECT_EQ(lookup(cache, {.prompt = other}, {.threshold = Similarity{0}}).reason, MissReason::long_prompt);
  const auto embedded = cache.embed(too_long);
  ASSERT_FALSE(embedded);
  EXPECT_EQ(embedded.error().code, ErrorCode::invalid_argument);
  EXPECT_EQ(encoder_->count.load(), before);
  EXPECT_EQ(to_string(MissReason::long_prompt), "long_prompt");

  // One byte less is within the bound.
  EXPECT_EQ(lookup(cache, {.prompt = longest}).reason, MissReason::empty_scope);
  store(cache, {.prompt = longest}, "by meaning");
  EXPECT_EQ(encoder_->count.load(), before + 2);
  EXPECT_EQ(cache.stats().entries, 2u);
}

TEST_F(SemanticCacheTest, ALongPromptThatIsBroughtFromElsewhereIsForTheSameTextOnly) {
  auto cache = open();
  std::vector<Entry> entries(2);
  entries[0].prompt = std::string(encoder_->max_tokens() * Embedder::kLongBytes, 'x');
  entries[1].prompt = kQuestion;
  const auto done = cache.restore(entries);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->stored, 2u);
  EXPECT_EQ(cache.stats().embeddings, 1u);
  EXPECT_TRUE(lookup(cache, {.prompt = kParaphrase}).hit());
  const auto same = lookup(cache, {.prompt = entries[0].prompt});
  ASSERT_TRUE(same.hit());
  EXPECT_TRUE(same.hits[0].entry->exact_only);
}

TEST_F(SemanticCacheTest, WithoutAKnownWindowNoPromptIsTooLong) {
  class Windowless final : public Embedder {
   public:
    std::size_t dimension() const noexcept override { return 1; }
    std::string_view fingerprint() const noexcept override { return "windowless"; }
    std::size_t max_tokens() const noexcept override { return 0; }
    Result<std::vector<Embedding>> embed(std::span<const std::string_view> texts) const override {
      return std::vector<Embedding>(texts.size(), Embedding{.vector = {1}});
    }
  };
  auto cache = open({.embedder = std::make_shared<Windowless>()});
  store(cache, {.prompt = std::string(100'000, 'x')}, "r");
  EXPECT_TRUE(lookup(cache, {.prompt = std::string(200'000, 'y')}).hit());
}

TEST_F(SemanticCacheTest, WouldAnswerDecidesAsALookupDoes) {
  auto cache = open();
  const std::string beyond(5000, 'x');
  const std::vector<std::string> prompts{std::string(kQuestion), std::string(kParaphrase), std::string(kOther), "How do I change my password?",
                                         "What is the capital city of France?", "Name the capital of France: " + beyond,
                                         "Name the capital of France: " + beyond + "y"};
  for (const auto& stored : prompts) {
    for (const auto& asked : prompts) {
      if (stored == asked) continue;
      auto one = open();
      store(one, {.prompt = stored}, "r");
      const auto embed = [&](std::string_view text) { return (*encoder_->embed(std::array{text}))[0]; };
      for (const double threshold : {0.0, 0.5, 0.85, 0.95, 1.0}) {
        const auto found = lookup(one, {.prompt = asked}, {.layers = Layers::semantic, .threshold = Similarity{threshold}});
        const auto would = one.would_answer(embed(stored), embed(asked), Similarity{threshold});
        ASSERT_EQ(would.has_value(), found.hit()) << stored << " / " << asked << " at " << threshold;
        if (would) EXPECT_EQ(would->value, found.hits[0].similarity.value);
      }
    }
  }
}

TEST_F(SemanticCacheTest, SaysWhichScopesSurelyHaveNothing) {
  auto cache = open();
  EXPECT_FALSE(cache.may_have("s"));
  store(cache, {.prompt = kQuestion, .scope = "s"}, "r", {.exact_only = true});
  EXPECT_TRUE(cache.may_have("s"));
  EXPECT_FALSE(cache.may_have("t"));
  ASSERT_TRUE(cache.clear("s"));
  EXPECT_FALSE(cache.may_have("s"));
}

TEST_F(SemanticCacheTest, RestoresEntriesAsWhatTheyWere) {
  auto from = open(), to = open();
  store(from, {.prompt = kOther}, "exactly", {.exact_only = true});
  store(from, {.prompt = kQuestion}, "by meaning");
  std::vector<Entry> entries;
  ASSERT_TRUE(from.for_each([&](const Entry& entry) {
    entries.push_back(entry);
    return true;
  }));
  const auto done = to.restore(entries);
  ASSERT_TRUE(done);
  EXPECT_EQ(done->stored, 2u);
  EXPECT_EQ(to.stats().embeddings, 1u);
  EXPECT_TRUE(lookup(to, {.prompt = kParaphrase}).hit());
  EXPECT_TRUE(lookup(to, {.prompt = kOther}).hit());
  EXPECT_FALSE(lookup(to, {.prompt = "What is the capital city of France?"}).hit());
}

TEST_F(SemanticCacheTest, AnswersTheSameTextAndAParaphraseAndNothingElse) {
  auto cache = open();
  const auto id = store(cache, {.prompt = kQuestion}, "Click on 'forgot'.");

  const auto same = lookup(cache, {.prompt = kQuestion});
  ASSERT_TRUE(same.hit());
  EXPECT_EQ(same.hits[0].layer, Layer::exact);
  EXPECT_EQ(same.hits[0].similarity.value, 1);
  EXPECT_EQ(same.hits[0].entry->id, id);
  EXPECT_EQ(same.hits[0].entry->response, "Click on 'forgot'.");

  const auto alike = lookup(cache, {.prompt = kParaphrase});
  ASSERT_TRUE(alike.hit());
  EXPECT_EQ(alike.hits[0].layer, Layer::semantic);
  EXPECT_LT(alike.hits[0].similarity.value, 1);
  EXPECT_GE(alike.hits[0].similarity.value, 0.85);
  EXPECT_EQ(alike.hits[0].entry->prompt, kQuestion);

  const auto other = lookup(cache, {.prompt = kOther});
  EXPECT_FALSE(other.hit());
  EXPECT_EQ(other.reason, MissReason::below_threshold);
  ASSERT_TRUE(other.nearest);
  EXPECT_LT(other.nearest->value, 0.5);

  const auto stats = cache.stats();
  EXPECT_EQ(stats.exact_hits, 1u);
  EXPECT_EQ(stats.semantic_hits, 1u);
  EXPECT_EQ(stats.misses, 1u);
  EXPECT_EQ(stats.entries, 1u);
}

TEST_F(SemanticCacheTest, AMissCostsOneEmbeddingAndAnExactHitNone) {
  auto cache = open();
  const auto before = encoder_->count.load();
  const auto missed = lookup(cache, {.prompt = kQuestion});
  ASSERT_TRUE(missed.embedding);
  store(cache, {.prompt = kQuestion}, "answer", {.embedding = missed.embedding});
  EXPECT_EQ(encoder_->count - before, 1u);
  EXPECT_TRUE(lookup(cache, {.prompt = kQuestion}).hit());
  EXPECT_EQ(encoder_->count - before, 1u);
}

TEST_F(SemanticCacheTest, ScopeIsAHardKeyForBothLayers) {
  auto cache = open();
  store(cache, {.prompt = kQuestion, .scope = "alice"}, "alice's");
  for (std::string_view scope : {"", "bob", "alic", "alicea"}) {
    const auto found = lookup(cache, {.prompt = kQuestion, .scope = scope}, {.threshold = Similarity{0}});
    EXPECT_FALSE(found.hit()) << scope;
    EXPECT_EQ(found.reason, MissReason::empty_scope);
  }
  EXPECT_TRUE(lookup(cache, {.prompt = kQuestion, .scope = "alice"}).hit());
}

TEST_F(SemanticCacheTest, ABlankPromptIsNeverEmbeddedMatchedOrStored) {
  auto cache = open();
  const auto before = encoder_->count.load();
  for (std::string_view blank : {"", " ", "\n\t ", "\u00a0\u2003"}) {
    const auto stored = cache.store({.prompt = blank}, "answer");
    ASSERT_FALSE(stored);
    EXPECT_EQ(stored.error().code, ErrorCode::invalid_argument);
    const auto found = lookup(cache, {.prompt = blank}, {.threshold = Similarity{0}});
    EXPECT_FALSE(found.hit());
    EXPECT_EQ(found.reason, MissReason::blank_prompt);
  }
  EXPECT_EQ(encoder_->count, before);
}

TEST_F(SemanticCacheTest, TextsThatAgreeOnlyWithinTheWindowNeverMatchByMeaning) {
  auto cache = open();
  std::string shared;
  for (int i = 0; i < 300; ++i) shared += "the quick brown fox jumps over a lazy dog ";
  const std::string poem = shared + "Write a poem about it.", drop = shared + "Drop the table.";
  store(cache, {.prompt = poem}, "A poem.");
  EXPECT_FALSE(lookup(cache, {.prompt = drop}, {.threshold = Similarity{0}}).hit());
  EXPECT_FALSE(lookup(cache, {.prompt = shared}, {.threshold = Similarity{0}}).hit());
  EXPECT_TRUE(lookup(cache, {.prompt = poem}).hit());
  // Equal beyond the window, alike within it: a match by meaning is allowed.
  EXPECT_TRUE(lookup(cache, {.prompt = "The" + poem.substr(3)}).hit());
}

TEST_F(SemanticCacheTest, WordsThatTheVocabularyLacksMustBeEqual) {
  auto cache = open();
  store(cache, {.prompt = "What does \U0001F469\u200D\U0001F52C mean?"}, "woman scientist");
  EXPECT_FALSE(lookup(cache, {.prompt = "What does \U0001F468\u200D\U0001F373 mean?"}, {.threshold = Similarity{0}}).hit());
  EXPECT_TRUE(lookup(cache, {.prompt = "what does \U0001F469\u200D\U0001F52C mean?"}).hit());
}

TEST_F(SemanticCacheTest, SaysThatNothingWasComparedWhereWhatTheEncoderDoesNotSeeDiffers) {
  auto cache = open();
  const auto reason = [&cache](std::string_view prompt) { return lookup(cache, {.prompt = prompt, .scope = "s"}, {.threshold = Similarity{0.99}}).reason; };
  EXPECT_EQ(reason("Wie setze ich mein Passwort zur\u00fcck?"), MissReason::empty_scope);
  store(cache, {.prompt = "Where do I find the tickets?", .scope = "s"}, "exact", {.exact_only = true});
  EXPECT_EQ(reason("Wie setze ich mein Passwort zur\u00fcck?"), MissReason::empty_scope);
  store(cache, {.prompt = kQuestion, .scope = "s"}, "answer");
  store(cache, {.prompt = kQuestion, .scope = "other"}, "answer");
  EXPECT_EQ(reason("Wie setze ich mein Passwort zur\u00fcck?"), MissReason::unseen_differs);
  EXPECT_EQ(reason("How do I reset GPT-4o?"), MissReason::unseen_differs);
  EXPECT_EQ(reason("What is the capital of France?"), MissReason::below_threshold);
  store(cache, {.prompt = "How do I reset GPT-4o?", .scope = "s"}, "answer");
  EXPECT_EQ(reason("What is the price of GPT-4o?"), MissReason::below_threshold);
  EXPECT_EQ(to_string(MissReason::unseen_differs), "unseen_differs");
  EXPECT_TRUE(cache.clear("s"));
  EXPECT_EQ(reason("How do I reset GPT-4o?"), MissReason::empty_scope);
}

TEST_F(SemanticCacheTest, AnExpiredEntryOfTheSameWordsIsNone) {
  auto cache = open({.ttl = 10s});
  store(cache, {.prompt = kQuestion}, "answer");
  now_ += 11s;
  EXPECT_EQ(lookup(cache, {.prompt = kParaphrase}).reason, MissReason::empty_scope);
}

TEST_F(SemanticCacheTest, WhatALowerCasingEncoderForgetsMustBeEqual) {
  auto cache = open();
  const std::pair<std::string_view, std::string_view> pairs[] = {
      {"Decode base64: aGVsbG8=", "Decode base64: AgvSbG8="},
      {"What does print(Foo) do?", "What does print(foo) do?"},
      {"What does this do?\nfor x in y:\n    a()\n    b()", "What does this do?\nfor x in y:\n    a()\nb()"},
      {"\u00bfCu\u00e1ntos a\u00f1os tiene?", "\u00bfCu\u00e1ntos anos tiene?"},
      {"Ngh\u0129a c\u1ee7a ma l\u00e0 g\u00ec?", "Ngh\u0129a c\u1ee7a m\u00e1 l\u00e0 g\u00ec?"},
      {"Rename my_Var to my_var", "Rename my_var to my_Var"},
      {"Was hei\u00dft schon?", "Was hei\u00dft sch\u00f6n?"},
  };
  for (const auto& [stored, asked] : pairs) {
    store(cache, {.prompt = stored}, "answer");
    EXPECT_FALSE(lookup(cache, {.prompt = asked}, {.threshold = Similarity{0}}).hit()) << asked;
  }
}

TEST_F(SemanticCacheTest, SimilarityOneMeansTheSameText) {
  auto cache = open();
  store(cache, {.prompt = "What is the capital of France?"}, "Paris");
  // To the uncased encoder these are one text.
  const auto cased = lookup(cache, {.prompt = "what is the CAPITAL of france?"});
  ASSERT_TRUE(cased.hit());
  EXPECT_EQ(cased.hits[0].layer, Layer::semantic);
  EXPECT_LT(cased.hits[0].similarity.value, 1);
  EXPECT_FALSE(lookup(cache, {.prompt = "what is the CAPITAL of france?"}, {.threshold = Similarity{1}}).hit());
  EXPECT_TRUE(lookup(cache, {.prompt = "What is the capital of France?"}, {.layers = Layers::semantic, .threshold = Similarity{1}}).hit());
  const auto folded = lookup(cache, {.prompt = "what is the CAPITAL of france?"}, {.layers = Layers::exact, .ignore_case = true});
  ASSERT_TRUE(folded.hit());
  EXPECT_EQ(folded.hits[0].similarity.value, 1);
}

TEST_F(SemanticCacheTest, VectorsOfAnotherModelNeverMeet) {
  const auto folder = std::filesystem::path(::testing::TempDir()) / "sosie_cache_models";
  std::filesystem::remove_all(folder);
  {
    auto cache = open({.data = folder});
    store(cache, {.prompt = kQuestion}, "answer");
  }
  auto cache = open({.data = folder, .embedder = encoder_->renamed("another model")});
  EXPECT_FALSE(lookup(cache, {.prompt = kParaphrase}, {.threshold = Similarity{0}}).hit());
  EXPECT_TRUE(lookup(cache, {.prompt = kQuestion}).hit()) << "the same text needs no model";
  std::filesystem::remove_all(folder);
}

TEST_F(SemanticCacheTest, AttributesNarrowAndMaxAgeBounds) {
  auto cache = open();
  store(cache, {.prompt = kQuestion, .attributes = {{"lang", "en"}, {"team", "a"}}}, "answer");
  EXPECT_TRUE(lookup(cache, {.prompt = kParaphrase, .attributes = {{"lang", "en"}}}).hit());
  const auto other = lookup(cache, {.prompt = kParaphrase, .attributes = {{"lang", "fr"}}});
  EXPECT_FALSE(other.hit());
  EXPECT_EQ(other.reason, MissReason::filtered);
  now_ += 10s;
  EXPECT_EQ(lookup(cache, {.prompt = kQuestion}, {.max_age = 5s}).reason, MissReason::filtered);
  EXPECT_EQ(lookup(cache, {.prompt = kQuestion}, {.max_age = 10s}).hits.at(0).age, 10s);
}

TEST_F(SemanticCacheTest, AbsoluteExpiryIsNotMovedByHitsAndSlidingIs) {
  for (const Expiry expiry : {Expiry::absolute, Expiry::sliding}) {
    auto cache = open({.ttl = 10s, .expiry = expiry});
    store(cache, {.prompt = kQuestion}, "answer");
    now_ += 6s;
    EXPECT_TRUE(lookup(cache, {.prompt = kQuestion}).hit());
    now_ += 6s;
    EXPECT_EQ(lookup(cache, {.prompt = kQuestion}).hit(), expiry == Expiry::sliding);
    EXPECT_EQ(lookup(cache, {.prompt = kParaphrase}).hit(), expiry == Expiry::sliding);
    now_ += 10s;
    EXPECT_FALSE(lookup(cache, {.prompt = kQuestion}).hit());
    EXPECT_EQ(*cache.sweep(), 1u);
    EXPECT_EQ(cache.stats().entries, 0u);
  }
}

TEST_F(SemanticCacheTest, ALookThatIsNotRecordedChangesNothing) {
  const LookupOptions look{.threshold = Similarity{0}, .max_results = 100, .record = false};
  auto cache = open({.ttl = 10s, .expiry = Expiry::sliding});
  store(cache, {.prompt = kQuestion}, "answer");
  now_ += 6s;
  EXPECT_TRUE(lookup(cache, {.prompt = kQuestion}, look).hit());
  EXPECT_TRUE(lookup(cache, {.prompt = kParaphrase}, look).hit());
  EXPECT_FALSE(lookup(cache, {.prompt = kQuestion, .scope = "another"}, look).hit());
  EXPECT_FALSE(lookup(cache, {.prompt = " "}, look).hit());
  const CacheStats stats = cache.stats();
  EXPECT_EQ(stats.exact_hits + stats.semantic_hits + stats.misses, 0u);
  now_ += 5s;
  EXPECT_FALSE(lookup(cache, {.prompt = kQuestion}, look).hit());  // Its life was not drawn out.
}

TEST_F(SemanticCacheTest, ALookThatIsNotRecordedSavesNothingFromEviction) {
  for (const bool record : {true, false}) {
    auto cache = open({.max_bytes = 6'000});
    store(cache, {.prompt = kQuestion}, std::string(900, 'a'));  // Worth the least.
    store(cache, {.prompt = kOther}, std::string(1'000, 'b'));
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(lookup(cache, {.prompt = kQuestion}, {.record = record}).hit());
    store(cache, {.prompt = "How tall is a giraffe?"}, std::string(1'000, 'c'));
    EXPECT_EQ(cache.stats().evicted, 1u);
    EXPECT_EQ(lookup(cache, {.prompt = kQuestion}, {.layers = Layers::exact, .record = false}).hit(), record);
  }
}

TEST_F(SemanticCacheTest, StoringAgainReplaces) {
  auto cache = open();
  const auto first = store(cache, {.prompt = kQuestion}, "old");
  const auto second = store(cache, {.prompt = kQuestion}, "new");
  EXPECT_EQ(first, second);
  EXPECT_EQ(cache.stats().entries, 1u);
  EXPECT_EQ(lookup(cache, {.prompt = kParaphrase}).hits.at(0).entry->response, "new");
}

TEST_F(SemanticCacheTest, EntriesMoveToAnotherCacheAsTheyAre) {
  auto from = open();
  const std::string scope("s\0\xff", 3);
  store(from, {.prompt = kQuestion, .scope = scope, .attributes = {{"user", "1"}}}, std::string("a\0\xff", 3), {.ttl = 5000ms});
  store(from, {.prompt = kOther}, "Paris", {.ttl = 1000ms});
  store(from, {.prompt = kParaphrase}, "for ever");
  std::vector<Entry> moved;
  ASSERT_TRUE(from.for_each([&](const Entry& entry) {
    moved.push_back(entry);
    return true;
  }));
  ASSERT_EQ(moved.size(), 3u);

  now_ += 2000ms;  // "Paris" has expired meanwhile.
  moved.push_back({.prompt = " \t", .response = "blank"});
  moved.push_back({.prompt = "\xff", .response = "not UTF-8"});
  auto to = open();
  const auto before = encoder_->count.load();
  auto done = to.restore(moved);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->stored, 2u);
  EXPECT_EQ(done->expired, 1u);
  EXPECT_EQ(done->unfit, 2u);
  EXPECT_EQ(encoder_->count, before + 2);
  ASSERT_TRUE(to.restore(moved));
  EXPECT_EQ(to.stats().entries, 2u) << "a second time changes nothing";

  int seen = 0;
  ASSERT_TRUE(to.for_each([&](const Entry& entry) {
    const auto was = std::find_if(moved.begin(), moved.end(), [&](const Entry& each) { return each.id == entry.id; });
    EXPECT_NE(was, moved.end());
    if (was == moved.end()) return false;
    EXPECT_EQ(entry.scope, was->scope);
    EXPECT_EQ(entry.prompt, was->prompt);
    EXPECT_EQ(entry.response, was->response);
    EXPECT_EQ(entry.attributes, was->attributes);
    EXPECT_EQ(entry.created, was->created);
    EXPECT_EQ(entry.expires, was->expires);
    ++seen;
    return true;
  }));
  EXPECT_EQ(seen, 2);
  EXPECT_TRUE(lookup(to, {.prompt = kQuestion, .scope = scope}).hit());
  EXPECT_TRUE(lookup(to, {.prompt = kQuestion}).hit()) << "by meaning";
  EXPECT_FALSE(lookup(to, {.prompt = kOther}).hit());
}

TEST_F(SemanticCacheTest, ErasesByIdByAttributeByScopeAndAll) {
  auto cache = open();
  const auto id = store(cache, {.prompt = kQuestion, .scope = "a", .attributes = {{"k", "1"}}}, "x");
  store(cache, {.prompt = kOther, .scope = "a", .attributes = {{"k", "2"}}}, "y");
  store(cache, {.prompt = kOther, .scope = "b"}, "z");
  EXPECT_TRUE(*cache.erase(id));
  EXPECT_FALSE(*cache.erase(id));
  EXPECT_FALSE(cache.erase("a", Attributes{})) << "no attribute at all must not mean everything";
  EXPECT_EQ(*cache.erase("b", {{"k", "2"}}), 0u);
  EXPECT_EQ(*cache.erase("a", {{"k", "2"}}), 1u);
  EXPECT_EQ(*cache.clear("a"), 0u);
  EXPECT_EQ(*cache.clear(), 1u);
  EXPECT_FALSE(lookup(cache, {.prompt = kOther, .scope = "b"}).hit());
}

TEST_F(SemanticCacheTest, RefusesBadInputWithoutLosingAnything) {
  auto cache = open();
  store(cache, {.prompt = kQuestion}, "answer");
  const auto code = [](const auto& result) { return result ? std::optional<ErrorCode>() : result.error().code; };
  using enum ErrorCode;
  EXPECT_EQ(code(cache.lookup({.prompt = "\xff\xfe"})), invalid_argument);
  EXPECT_EQ(code(cache.store({.prompt = "bad \xc3("}, "x")), invalid_argument);
  EXPECT_EQ(code(cache.lookup({.prompt = kQuestion}, {.threshold = Similarity{1.5}})), invalid_argument);
  EXPECT_EQ(code(cache.lookup({.prompt = kQuestion}, {.max_results = 0})), invalid_argument);
  EXPECT_EQ(code(cache.lookup({.prompt = kQuestion}, {.max_results = 101})), invalid_argument);
  EXPECT_EQ(code(cache.store({.prompt = kQuestion}, "x", {.ttl = 0ms})), invalid_argument);
  EXPECT_EQ(code(cache.store({.prompt = kQuestion}, "x", {.cost = -1})), invalid_argument);
  const auto wrong = std::make_shared<const Embedding>(Embedding{.vector = {1, 0}});
  EXPECT_EQ(code(cache.store({.prompt = kQuestion}, "x", {.embedding = wrong})), invalid_argument);
  EXPECT_EQ(lookup(cache, {.prompt = kQuestion}).hits.at(0).entry->response, "answer");
  EXPECT_EQ(code(SemanticCache::open({.threshold = Similarity{-0.1}, .embedder = encoder_})), invalid_argument);
  EXPECT_EQ(code(SemanticCache::open({.ttl = 0ms, .embedder = encoder_})), invalid_argument);
  EXPECT_EQ(code(SemanticCache::open({.encoder = {.model = "/nonexistent"}})), not_found);
}

TEST_F(SemanticCacheTest, ReturnsTheBestFirst) {
  auto cache = open();
  store(cache, {.prompt = kQuestion}, "1");
  store(cache, {.prompt = "How do I change my password?"}, "2");
  store(cache, {.prompt = kOther}, "3");
  const auto found = lookup(cache, {.prompt = kParaphrase}, {.threshold = Similarity{0.5}, .max_results = 5});
  ASSERT_EQ(found.hits.size(), 2u);
  EXPECT_EQ(found.hits[0].entry->response, "1");
  EXPECT_GE(found.hits[0].similarity, found.hits[1].similarity);
}

TEST_F(SemanticCacheTest, ManyThreadsAtOnce) {
  auto cache = open();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        const std::string prompt = "What is the population of town number " + std::to_string(t * 1000 + i) + "?";
        if (!cache.store({.prompt = prompt, .scope = std::to_string(t)}, prompt)) ++wrong;
        auto found = cache.lookup({.prompt = prompt, .scope = std::to_string(t)});
        if (!found || !found->hit() || found->hits[0].entry->response != prompt) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(cache.stats().entries, 100u);
}

}  // namespace
}  // namespace sosie
