#include "gateway/reply/outcome.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

using namespace std::chrono_literals;

constexpr Compat kNone{.litellm = false};
constexpr Compat kAll{true, true, true, true, true};

std::string lines(const Outcome& outcome, const Compat& compat = kNone) {
  std::string text;
  append_outcome_headers(text, outcome, "req-1", compat);
  return text;
}

std::string value(const Outcome& outcome, std::string_view name, const Compat& compat = kAll) {
  const std::string text = "\r\n" + lines(outcome, compat);
  const std::size_t at = text.find("\r\n" + std::string(name) + ": ");
  if (at == std::string::npos) return "(absent)";
  const std::size_t begin = at + name.size() + 4;
  return text.substr(begin, text.find('\r', begin) - begin);
}

Outcome hit(Layer layer, double similarity) {
  Outcome outcome;
  outcome.cache_status = CacheStatus::hit;
  outcome.layer = layer;
  outcome.similarity = Similarity{similarity};
  outcome.entry_id = "abc";
  outcome.age = 65'900ms;
  return outcome;
}

Outcome uncached(CacheStatus cache_status, Reason reason, decide::Reuse reuse = decide::Reuse::by_meaning) {
  Outcome outcome;
  outcome.cache_status = cache_status;
  outcome.reason = reason;
  outcome.reuse = reuse;
  outcome.forwarded = true;
  return outcome;
}

TEST(OutcomeHeaders, SayAHit) {
  EXPECT_EQ(lines(hit(Layer::exact, 1)),
            "x-sosie-cache: hit\r\nx-sosie-layer: exact\r\nx-sosie-similarity: 1\r\nx-sosie-entry-id: "
            "abc\r\nx-sosie-request-id: req-1\r\n"
            "Age: 65\r\nCache-Status: sosie; hit; key=\"abc\"; detail=\"exact\"\r\n");
  Outcome expiring = hit(Layer::semantic, 0.9);
  expiring.ttl_left = 12'999ms;
  EXPECT_EQ(value(expiring, "Cache-Status"), "sosie; hit; ttl=12; key=\"abc\"; detail=\"semantic\"");
  expiring.ttl_left = -1ms;
  expiring.age = -5ms;  // a clock that was set back
  EXPECT_EQ(value(expiring, "Cache-Status"), "sosie; hit; ttl=0; key=\"abc\"; detail=\"semantic\"");
  EXPECT_EQ(value(expiring, "Age"), "0");
}

TEST(OutcomeHeaders, SayOneOfTheSameTextOnly) {
  EXPECT_EQ(value(hit(Layer::exact, 1), "x-sosie-similarity"), "1");
  EXPECT_EQ(value(hit(Layer::semantic, 0.9999999), "x-sosie-similarity"), "0.999999");
  EXPECT_EQ(value(hit(Layer::semantic, 1), "x-sosie-similarity"), "0.999999");
  EXPECT_EQ(value(hit(Layer::semantic, 0.5), "x-sosie-similarity"), "0.500000");
}

TEST(OutcomeHeaders, SayTheRest) {
  EXPECT_EQ(lines(uncached(CacheStatus::miss, Reason::below_threshold)),
            "x-sosie-cache: miss\r\nx-sosie-reason: below_threshold\r\nx-sosie-request-id: req-1\r\n"
            "Cache-Status: sosie; fwd=miss; detail=\"below_threshold\"\r\n");
  EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::empty_scope), "Cache-Status"), "sosie; fwd=uri-miss; detail=\"empty_scope\"");
  EXPECT_EQ(value(uncached(CacheStatus::bypass, Reason::seed), "Cache-Status"), "sosie; fwd=bypass; detail=\"seed\"");
  EXPECT_EQ(value(uncached(CacheStatus::bypass, Reason::no_cache), "Cache-Status"), "sosie; fwd=request; detail=\"no_cache\"");
  EXPECT_EQ(value(uncached(CacheStatus::error, Reason::lookup_error), "x-sosie-cache"), "error");
  Outcome kept = uncached(CacheStatus::miss, Reason::not_exact);
  EXPECT_EQ(value(kept, "x-sosie-store"), "(absent)");
  kept.storing.state = Storing::State::accepted;  // Nothing is stored before the headers leave, and they do not say so.
  EXPECT_EQ(value(kept, "x-sosie-store"), "accepted");
  EXPECT_EQ(value(kept, "Cache-Status"), "sosie; fwd=miss; detail=\"not_exact\"");
  Outcome refused = uncached(CacheStatus::miss, Reason::empty_scope);
  refused.forwarded = false;
  EXPECT_EQ(value(refused, "Cache-Status"), "sosie; detail=\"empty_scope\"");
  EXPECT_EQ(value(refused, "Age"), "(absent)");
}

TEST(OutcomeHeaders, SayACoalescedCall) {
  Outcome outcome = hit(Layer::semantic, 0.9);
  outcome.cache_status = CacheStatus::coalesced;
  EXPECT_EQ(
      lines(outcome),
      "x-sosie-cache: coalesced\r\nx-sosie-layer: semantic\r\nx-sosie-similarity: 0.900000\r\nx-sosie-entry-id: abc\r\n"
      "x-sosie-request-id: req-1\r\nCache-Status: sosie; fwd=miss; collapsed; key=\"abc\"; detail=\"semantic\"\r\n");
  outcome.entry_id.clear();
  outcome.layer = Layer::exact;
  EXPECT_EQ(value(outcome, "Cache-Status"), "sosie; fwd=miss; collapsed; detail=\"exact\"");
  EXPECT_EQ(value(outcome, "x-litellm-cache-key"), "(absent)");
}

TEST(OutcomeHeaders, SayItInLiteLLMsWords) {
  EXPECT_EQ(value(hit(Layer::semantic, 0.9228), "x-litellm-semantic-similarity"), "0.922800");
  EXPECT_EQ(value(hit(Layer::exact, 1), "x-litellm-semantic-similarity"), "1.0");
  EXPECT_EQ(value(hit(Layer::exact, 1), "x-litellm-cache-key"), "abc");
  EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::empty_scope), "x-litellm-semantic-similarity"), "0.0");
  EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::empty_scope), "x-litellm-cache-key"), "(absent)");
  EXPECT_EQ(value(uncached(CacheStatus::bypass, Reason::seed), "x-litellm-semantic-similarity"), "(absent)");
}

TEST(OutcomeHeaders, SayItInPortkeysWords) {
  constexpr std::string_view kStatus = "x-portkey-cache-status";
  EXPECT_EQ(value(hit(Layer::exact, 1), kStatus), "HIT");
  EXPECT_EQ(value(hit(Layer::semantic, 0.9), kStatus), "SEMANTIC HIT");
  EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::below_threshold), kStatus), "SEMANTIC MISS");
  EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::not_exact, decide::Reuse::exact), kStatus), "MISS");
  EXPECT_EQ(value(uncached(CacheStatus::bypass, Reason::time_bound, decide::Reuse::never), kStatus), "DISABLED");
  EXPECT_EQ(value(uncached(CacheStatus::bypass, Reason::no_cache), kStatus), "REFRESH");
}

TEST(OutcomeHeaders, SayItInHeliconesAndCloudflaresWords) {
  for (const char* name : {"Helicone-Cache", "cf-aig-cache-status"}) {
    EXPECT_EQ(value(hit(Layer::semantic, 0.9), name), "HIT");
    EXPECT_EQ(value(uncached(CacheStatus::miss, Reason::empty_scope), name), "MISS");
    EXPECT_EQ(value(hit(Layer::exact, 1), name, kNone), "(absent)");
  }
}

}  // namespace
}  // namespace sosie::gateway
