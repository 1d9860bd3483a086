#include "gateway/reply/cache_debug.h"

#include <gtest/gtest.h>

namespace sosie::gateway {
namespace {

Outcome semantic_hit() {
  Outcome outcome;
  outcome.cache_status = CacheStatus::hit;
  outcome.layer = Layer::semantic;
  outcome.entry_id = "0123";
  outcome.threshold = {0.8};
  outcome.similarity = Similarity{0.95};
  return outcome;
}

constexpr std::string_view kMember =
    R"("extra_fields":{"cache_debug":{"cache_hit":true,"cache_id":"0123","hit_type":"semantic","threshold":0.800000,"similarity":0.950000}})";

TEST(CacheDebug, StandsAtTheEndOfAnObject) {
  std::string answer = R"({"id":"a","choices":[{}]})";
  add_cache_debug(answer, false, semantic_hit());
  EXPECT_EQ(answer, R"({"id":"a","choices":[{}],)" + std::string(kMember) + "}");
  std::string empty = "{}";
  add_cache_debug(empty, false, semantic_hit());
  EXPECT_EQ(empty, "{" + std::string(kMember) + "}");
}

TEST(CacheDebug, StandsInTheLastObjectOfAStream) {
  std::string answer = "data: {\"a\":1}\n\ndata: {\"b\":\"data: {\"}\n\ndata: [DONE]\n\n";
  add_cache_debug(answer, true, semantic_hit());
  EXPECT_EQ(answer, "data: {\"a\":1}\n\ndata: {\"b\":\"data: {\"," + std::string(kMember) + "}\n\ndata: [DONE]\n\n");
}

TEST(CacheDebug, LeavesWhatIsNoObject) {
  for (const std::string text : {"", "[1]", "}", "{", "data: [DONE]\n\n"}) {
    for (const bool stream : {false, true}) {
      std::string answer = text;
      add_cache_debug(answer, stream, semantic_hit());
      EXPECT_EQ(answer, text);
    }
  }
}

}  // namespace
}  // namespace sosie::gateway
