#include "redis/semantic_index.h"

#include <gtest/gtest.h>

#include "base/comma_locale.h"

namespace sosie::redis {
namespace {

constexpr const char* kKey = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

Reply text(std::string value) { return {.kind = Reply::Kind::string, .text = std::move(value)}; }
Reply list(std::vector<Reply> items, Reply::Kind kind = Reply::Kind::array) { return {.kind = kind, .items = std::move(items)}; }
Reply count(std::int64_t value) { return {.kind = Reply::Kind::integer, .integer = value}; }

TEST(SemanticIndex, EntryIdsAreRedisVlsHash) {
  EXPECT_EQ(entry_id("What is the capital of France?", {}), "115049a298532be2f181edb03f766770c0db84c22aff39003fec340deaec7545");
  EXPECT_EQ(entry_id("What is the capital of France?", {{"litellm_cache_key", kKey}}),
            "f21d76ae0a1b69f0b85d79f416aa349c45a1fbdaf5e9718944599f9a233e5154");
  EXPECT_EQ(entry_id("hello", {{"zz", "1"}, {"aa", "2"}}), "983376eb6c03c48ed6f6a0689a567696332fed78b05525852a64aa939af8e2bb");
  EXPECT_EQ(entry_id("hello", {{"B", "1"}, {"a", "2"}, {"_", "3"}}), "39b1e9a7ef17cbe81487871a76b237adf1afd376e88e12e801eedc8e2df6672a");
}

TEST(SemanticIndex, KeysDoNotDoubleTheColon) {
  EXPECT_EQ(entry_key("cache", "id"), "cache:id");
  EXPECT_EQ(entry_key("cache:", "id"), "cache:id");
  EXPECT_EQ(entry_key(":", "id"), "id");
  EXPECT_EQ(entry_key("", "id"), "id");
}

TEST(SemanticIndex, AKeyBelongsToOneIndex) {
  EXPECT_TRUE(is_entry_key("faq:1f", "faq"));
  EXPECT_TRUE(is_entry_key("faq:1f", "faq:"));
  EXPECT_TRUE(is_entry_key("faq:eu:1f", "faq:eu"));
  EXPECT_TRUE(is_entry_key("1f", ":"));
  for (const char* other : {"faq:eu:1f", "faqs:1f", "faq_isolated:1f", "faq:", "faq", "1f", ""}) EXPECT_FALSE(is_entry_key(other, "faq")) << other;
}

// redis/redis-vl-python PR 717: an unescaped "|" made a union of two tenants' keys.
TEST(SemanticIndex, EveryCharacterThatMeansSomethingInAQueryIsEscaped) {
  EXPECT_EQ(escape_tag("user:{42}|*"), "user\\:\\{42\\}\\|\\*");
  EXPECT_EQ(escape_tag("a_b café 日本"), "a_b\\ café\\ 日本");
  EXPECT_EQ(search_query({{"litellm_cache_key", "ns:abc"}}),
            "@prompt_vector:[VECTOR_RANGE $distance_threshold $vector]=>{$YIELD_DISTANCE_AS: vector_distance} (@litellm_cache_key:{ns\\:abc})");
  EXPECT_EQ(search_query({{"litellm_cache_key", ""}}), search_query({}));
}

// A distance of 0.31 read as 0 would be a hit of similarity 1.
TEST(SemanticIndex, NumbersAreTheSameUnderEveryLocale) {
  SOSIE_UNDER_COMMA_LOCALE();
  const auto found = [](Reply distance) {
    const Reply fields = list({text("prompt"), text("p"), text("response"), text("r"), text("vector_distance"), std::move(distance)});
    return read_search(list({count(1), text("idx:1"), fields}));
  };
  const auto near = found(text("0.31"));
  ASSERT_TRUE(near && near->candidates.size() == 1);
  EXPECT_EQ(near->candidates[0].distance.value, 0.31);
  EXPECT_EQ(found(text("1.19209289551e-07"))->candidates[0].distance.value, 1.19209289551e-07);
  for (const char* no_number : {"", "0,31", "near", "nan"}) EXPECT_TRUE(found(text(no_number))->candidates.empty()) << no_number;
  for (const char* half : {"0.5", "0.999"}) {
    EXPECT_FALSE(read_index_info(list({text("percent_indexed"), text(half)}), "idx").whole) << half;
  }
  EXPECT_TRUE(read_index_info(list({text("percent_indexed"), text("1")}), "idx").whole);
  EXPECT_EQ(float_text(0.31), "0.31");
}

TEST(SemanticIndex, TagsThatTheServerWouldSplitOrTrimAreKnown) {
  for (const char* good : {kKey, "ns:abc", "a b", "A", "a|b", "日本"}) EXPECT_TRUE(is_findable_tag(good)) << good;
  for (const char* bad : {"", "a,b", "a`b", "a\tb", "a\nb", " a", "a "}) EXPECT_FALSE(is_findable_tag(bad)) << bad;
  EXPECT_FALSE(is_findable_tag(std::string(5000, 'k')));
}

TEST(SemanticIndex, NumbersAreWrittenAsPythonDoes) {
  EXPECT_EQ(float_text(1 - 0.8), "0.19999999999999996");
  EXPECT_EQ(float_text(1 - 0.95), "0.050000000000000044");
  EXPECT_EQ(float_text(1), "1.0");
  EXPECT_EQ(float_text(0), "0.0");
  EXPECT_EQ(float_text(0.0001), "0.0001");
  EXPECT_EQ(float_text(1e-6), "1e-06");
  EXPECT_EQ(float_text(1755000000.123456), "1755000000.123456");
  EXPECT_EQ(float_text(-0.5), "-0.5");
}

Reply hit(const char* distance, const char* prompt) {
  return list({text("vector_distance"), text(distance), text("entry_id"), text("e"), text("prompt"), text(prompt), text("response"), text("r"),
               text("litellm_cache_key"), text("k")});
}

TEST(SemanticIndex, HitsAreReadInBothProtocols) {
  const auto two = read_search(list({count(2), text("key1"), hit("0.100000023842", "a"), text("key2"), hit("0.2", "b")}));
  ASSERT_TRUE(two);
  ASSERT_EQ(two->candidates.size(), 2u);
  EXPECT_EQ(two->seen, 2u);
  EXPECT_NEAR(two->candidates[0].distance.value, 0.100000023842, 1e-15);
  EXPECT_EQ(two->candidates[1].prompt, "b");
  EXPECT_EQ(two->candidates[1].tag, "k");

  Reply fields = hit("0.25", "c");
  fields.kind = Reply::Kind::map;
  const auto resp3 = read_search(list({text("total_results"), count(1), text("results"),
                                       list({list({text("id"), text("key"), text("extra_attributes"), fields}, Reply::Kind::map)}), text("warning"),
                                       list({})},
                                      Reply::Kind::map));
  ASSERT_TRUE(resp3);
  ASSERT_EQ(resp3->candidates.size(), 1u);
  EXPECT_EQ(resp3->candidates[0].response, "r");
  EXPECT_FALSE(resp3->partial);
}

// redis/redis-vl-python PR 653: a hit that expires while it is found arrives without its fields.
TEST(SemanticIndex, AHitWithoutFieldsIsNoCandidate) {
  for (const Reply& gone : {Reply{}, list({})}) {
    const auto found = read_search(list({count(2), text("key1"), gone, text("key2"), hit("0.2", "b")}));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->seen, 2u);
    ASSERT_EQ(found->candidates.size(), 1u);
    EXPECT_EQ(found->candidates[0].prompt, "b");
  }
  const auto last = read_search(list({count(1), text("key1")}));
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->candidates.empty());
}

TEST(SemanticIndex, AServerThatGaveUpSaysSo) {
  const auto found = read_search(
      list({text("results"), list({}), text("warning"), list({text("Timeout limit was reached")})}, Reply::Kind::map));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->partial);
}

TEST(SemanticIndex, OtherShapesAreRefused) {
  EXPECT_FALSE(read_search(text("OK")));
  EXPECT_FALSE(read_search(list({})));
  EXPECT_FALSE(read_search(list({text("x")})));
  EXPECT_FALSE(read_entry(list({text("p"), Reply{}, text("k")})));
  EXPECT_FALSE(read_entry(count(3)));
  EXPECT_TRUE(read_entry(list({text("p"), text("r"), text("k")})));
}

}  // namespace
}  // namespace sosie::redis
