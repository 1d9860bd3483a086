// With the real cache and the real encoder.
#include "gateway/observe/explain.h"

#include <gtest/gtest.h>
#include <simdjson.h>

namespace sosie::gateway {
namespace {

using namespace std::chrono_literals;

class ExplainTest : public ::testing::Test {
 protected:
  static constexpr TimePoint kAsked{std::chrono::milliseconds(1'700'000'000'123)};
  static inline TimePoint now = kAsked - 1min;

  void SetUp() override { now = kAsked - 1min; }

  static SemanticCache& cache() {
    static auto opened = [] {
      CacheOptions options;
      options.clock = [] { return now; };
      return SemanticCache::open(std::move(options));
    }();
    if (!opened) throw std::runtime_error(opened.error().message);
    return *opened;
  }

  Decision miss(std::string scope, std::string prompt, Reason reason) {
    Decision decision;
    decision.time = kAsked;
    decision.scope = std::move(scope);
    decision.prompt = std::move(prompt);
    decision.outcome.cache_status = CacheStatus::miss;
    decision.outcome.reason = reason;
    decision.outcome.threshold = Similarity{0.85};
    return decision;
  }

  simdjson::dom::element read(const Decision& decision, const std::optional<DecisionLog::Closest>& closest = {}) {
    json_ = explain("req-1", decision, cache(), closest);
    return parser_.parse(json_);
  }

  static std::string_view text(simdjson::dom::element json, std::string_view key) {
    std::string_view value = "(absent)";
    (void)json[key].get(value);
    return value;
  }

  std::string json_;
  simdjson::dom::parser parser_;
};

TEST_F(ExplainTest, SaysWhatHappenedAndOfWhatTheScopeIsMade) {
  Decision decision = miss("ask:00", "How do I reset my password?", Reason::not_exact);
  decision.surface = protocol::Surface::messages;
  decision.outcome.reuse = decide::Reuse::exact;
  decision.outcome.reuse_reason = Reason::seed;
  decision.parts = std::make_shared<const ScopeParts>(ScopeParts{{"model", 1, "\"m\""}, {"tenant", 2, ""}});
  const auto json = read(decision);
  EXPECT_EQ(text(json, "request_id"), "req-1");
  EXPECT_EQ(text(json, "time"), "2023-11-14T22:13:20Z");
  EXPECT_EQ(text(json, "api"), "messages");
  EXPECT_EQ(text(json, "fate"), "miss");
  EXPECT_EQ(text(json, "reason"), "not_exact");
  EXPECT_EQ(text(json, "reuse"), "exact");
  EXPECT_EQ(text(json, "reuse_reason"), "seed");
  EXPECT_EQ(text(json, "explanation"),
            "no entry in this scope has this very text, and others were not considered: the request sets a seed");
  EXPECT_EQ(text(json, "scope"), "ask:00");
  EXPECT_EQ(double(json["threshold"]), 0.85);
  EXPECT_EQ(simdjson::minify(simdjson::dom::element(json["parts"])),
            R"([{"name":"model","shown":"m"},{"name":"tenant"}])");
  EXPECT_NE(json["candidates"].error(), simdjson::SUCCESS);  // the same text only: there is nothing to compare
}

TEST_F(ExplainTest, SaysWhetherTheAnswerWasStoredAndIfNotWhy) {
  Decision decision = miss("ask:00", "Is it?", Reason::empty_scope);
  decision.outcome.storing = {Storing::State::no, Reason::finish_reason, "choices[0].finish_reason"};
  auto json = read(decision);
  EXPECT_FALSE(bool(json["stored"]));
  EXPECT_EQ(text(json, "not_stored"), "finish_reason");
  EXPECT_EQ(text(json, "not_stored_field"), "choices[0].finish_reason");
  EXPECT_EQ(text(json, "not_stored_because"), "the answer did not end by itself");
  decision.outcome.storing = {Storing::State::accepted, Reason::pending, {}};
  json = read(decision);
  EXPECT_FALSE(bool(json["stored"]));
  EXPECT_EQ(text(json, "not_stored"), "pending");
  EXPECT_EQ(text(json, "not_stored_field"), "(absent)");
  decision.outcome.storing = {Storing::State::stored, Reason::embedding_failed, "unavailable"};
  json = read(decision);
  EXPECT_TRUE(bool(json["stored"]));
  EXPECT_EQ(text(json, "exact_only"), "embedding_failed");
  EXPECT_EQ(text(json, "exact_only_field"), "unavailable");
  EXPECT_EQ(text(json, "exact_only_because"), "the question could not be embedded");
  EXPECT_EQ(text(json, "not_stored"), "(absent)");
  decision.outcome.storing = {Storing::State::stored, {}, {}};
  json = read(decision);
  EXPECT_TRUE(bool(json["stored"]));
  EXPECT_EQ(text(json, "exact_only"), "(absent)");
  EXPECT_EQ(text(json, "not_stored"), "(absent)");
}

TEST_F(ExplainTest, ShowsTheCandidatesOfThisScopeBestFirst) {
  ASSERT_TRUE(cache().store({.prompt = "How can I reset my password?", .scope = "ask:mine"}, "a"));
  ASSERT_TRUE(cache().store({.prompt = "What do I do to change my \"password\"?", .scope = "ask:mine"}, "b"));
  ASSERT_TRUE(cache().store({.prompt = "How do I reset my password?", .scope = "ask:theirs"}, "c"));
  Decision decision = miss("ask:mine", "How do I reset my password?", Reason::below_threshold);
  decision.outcome.similarity = Similarity{0.8};
  const auto json = read(decision);
  const simdjson::dom::array candidates = json["candidates"];
  ASSERT_EQ(candidates.size(), 2u);
  const simdjson::dom::element first = candidates.at(0), second = candidates.at(1);
  EXPECT_EQ(text(first, "prompt"), "How can I reset my password?");
  EXPECT_EQ(text(first, "layer"), "semantic");
  const double similarity = first["similarity"];
  EXPECT_GT(similarity, double(second["similarity"]));
  EXPECT_LT(similarity, 1);
  EXPECT_NEAR(double(first["langcache_similarity"]), (1 + similarity) / 2, 1e-6);
  EXPECT_EQ(bool(first["would_hit"]), similarity >= 0.85);
  EXPECT_EQ(text(json, "explanation"), "the nearest entry in this scope has similarity 0.8, below the threshold 0.85");
}

TEST_F(ExplainTest, ShowsTheCandidatesThatWereThereWhenItWasAsked) {
  const std::string asked = "How do I reset my password?";
  ASSERT_TRUE(cache().store({.prompt = "How can I reset my password?", .scope = "ask:then"}, "a"));
  now = kAsked;
  ASSERT_TRUE(cache().store({.prompt = asked, .scope = "ask:then"}, "its own, in the same millisecond"));
  now = kAsked + 1ms;
  ASSERT_TRUE(cache().store({.prompt = "How could I reset my password?", .scope = "ask:then"}, "another's, later"));
  const simdjson::dom::array candidates = read(miss("ask:then", asked, Reason::below_threshold))["candidates"];
  ASSERT_EQ(candidates.size(), 1u);
  EXPECT_EQ(text(candidates.at(0), "prompt"), "How can I reset my password?");
}

TEST_F(ExplainTest, ChangesNothing) {
  const auto id = cache().store({.prompt = "How can I reset my password?", .scope = "ask:still"}, "a");
  ASSERT_TRUE(id);
  const CacheStats before = cache().stats();
  const simdjson::dom::array candidates = read(miss("ask:still", "How do I reset my password?", Reason::below_threshold))["candidates"];
  EXPECT_EQ(candidates.size(), 1u);
  const CacheStats after = cache().stats();
  EXPECT_EQ(after.exact_hits, before.exact_hits);
  EXPECT_EQ(after.semantic_hits, before.semantic_hits);
  EXPECT_EQ(after.misses, before.misses);
  EXPECT_EQ(after.embeddings, before.embeddings);
}

TEST_F(ExplainTest, NamesTheWordsThatTheEncoderDoesNotSee) {
  auto json = read(miss("ask:words", "Wie setze ich mein Passwort zur\u00fcck mit GPT-4o?", Reason::unseen_differs));
  EXPECT_EQ(text(json, "explanation"),
            "no entry in this scope was compared: words that the encoder does not know, accents or the case of code differ (here: "
            "zur\u00fcck, GPT-4o?), or another encoder made the entries");
  EXPECT_EQ(simdjson::minify(simdjson::dom::element(json["unseen"])), "[\"zur\u00fcck\",\"GPT-4o?\"]");
  json = read(miss("ask:words", "How do I reset my password?", Reason::unseen_differs));
  EXPECT_NE(text(json, "explanation").find("(this text has none)"), std::string_view::npos);
  EXPECT_NE(json["unseen"].error(), simdjson::SUCCESS);
}

TEST_F(ExplainTest, NamesWhatWasNotObeyed) {
  Decision decision = miss("ask:00", "Is it?", Reason::below_threshold);
  EXPECT_NE(read(decision)["not_obeyed"].error(), simdjson::SUCCESS);
  decision.not_obeyed = {"x-sosie-threshold 0.8: lower than \"0.85\""};
  EXPECT_EQ(simdjson::minify(simdjson::dom::element(read(decision)["not_obeyed"])), R"(["x-sosie-threshold 0.8: lower than \"0.85\""])");
}

TEST_F(ExplainTest, KeepsSimilaritiesFromWhoMayNotUseTheEncoder) {
  ASSERT_TRUE(cache().store({.prompt = "How can I reset my password?", .scope = "ask:kept"}, "a"));
  const std::string told = explain("req-1", miss("ask:kept", "How do I reset my password?", Reason::below_threshold), cache(), {}, false);
  EXPECT_EQ(told.find("candidates"), std::string::npos);
}

TEST_F(ExplainTest, SaysWhichScopeWasNear) {
  DecisionLog::Closest closest;
  closest.entry_id = "e1";
  closest.differing = {"temperature (0.7 there, 0.2 here)"};
  auto json = read(miss("ask:empty", "Is it?", Reason::empty_scope), closest);
  EXPECT_EQ(text(json, "explanation"),
            "no entry in this scope: temperature (0.7 there, 0.2 here) differs from entry e1");
  EXPECT_EQ(text(json, "closest"), "the nearest other scope: temperature (0.7 there, 0.2 here) differs from entry e1");
  closest.differing.push_back("tools");
  closest.same_prompt = true;
  json = read(miss("ask:empty", "Is it?", Reason::below_threshold), closest);
  EXPECT_EQ(
      text(json, "closest"),
      "the same text has an entry in another scope: temperature (0.7 there, 0.2 here), tools differ from entry e1");
}

TEST_F(ExplainTest, SaysAHit) {
  Decision decision = miss("ask:hit", "Is it?", Reason::none);
  decision.outcome.cache_status = CacheStatus::hit;
  decision.outcome.entry_id = "e1";
  decision.outcome.layer = Layer::semantic;
  decision.outcome.similarity = Similarity{0.99999999};
  auto json = read(decision);
  EXPECT_EQ(text(json, "entry_id"), "e1");
  EXPECT_EQ(double(json["similarity"]), 0.999999);
  EXPECT_EQ(text(json, "explanation"),
            "answered from the cache: an entry with similarity 0.999999, at least the threshold 0.85");
  decision.outcome.layer = Layer::exact;
  decision.outcome.similarity = Similarity{1};
  json = read(decision);
  EXPECT_EQ(double(json["similarity"]), 1);
  EXPECT_EQ(double(json["langcache_similarity"]), 1);
}

TEST_F(ExplainTest, OfAForgottenPromptHasNoCandidates) {
  const auto json = read(miss("ask:mine", "", Reason::below_threshold));
  EXPECT_NE(json["candidates"].error(), simdjson::SUCCESS);
  EXPECT_EQ(text(json, "explanation"), "the nearest entry in this scope is below the threshold 0.85");
}

}  // namespace
}  // namespace sosie::gateway
