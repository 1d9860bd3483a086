#include "text/graphemes.h"

#include <gtest/gtest.h>

#include <string_view>
#include <vector>

namespace sosie::text {
namespace {

// Code points of each grapheme.
std::vector<std::size_t> sizes(std::u32string_view text) {
  std::vector<std::size_t> out;
  GraphemeBreaker breaker;
  for (const char32_t point : text) {
    if (breaker.begins(point)) out.push_back(0);
    ++out.back();
  }
  return out;
}
using Sizes = std::vector<std::size_t>;

TEST(GraphemeBreaker, KeepsTogetherWhatPeopleSeeAsOne) {
  EXPECT_EQ(sizes(U"abc"), (Sizes{1, 1, 1}));
  EXPECT_EQ(sizes(U"e\u0301\u0302x"), (Sizes{3, 1}));
  EXPECT_EQ(sizes(U"\r\n\n\r"), (Sizes{2, 1, 1}));
  EXPECT_EQ(sizes(U"\x01\u0301"), (Sizes{1, 1}));  // Nothing joins a control.
  EXPECT_EQ(sizes(U"\u0600a"), (Sizes{2}));        // An Arabic number sign stands before its number.
}

TEST(GraphemeBreaker, KnowsHangul) {
  EXPECT_EQ(sizes(U"\u1100\u1161\u11a8\u1100"), (Sizes{3, 1}));
  EXPECT_EQ(sizes(U"\uac00\u11a8\uac01\u11a8\uac01\u1161"), (Sizes{2, 2, 1, 1}));
  EXPECT_EQ(sizes(U"\uac1c\u1161\uac1d\u1161"), (Sizes{2, 1, 1}));  // The next syllables without and with a final consonant.
}

TEST(GraphemeBreaker, KnowsEmojiAndConjuncts) {
  EXPECT_EQ(sizes(U"\U0001f469\u200d\U0001f680x"), (Sizes{3, 1}));
  EXPECT_EQ(sizes(U"\u00a9\ufe0f\u200d\u00a9"), (Sizes{4}));
  EXPECT_EQ(sizes(U"a\u200d\u00a9"), (Sizes{2, 1}));
  EXPECT_EQ(sizes(U"\u00a9\u200d\u200d\u00a9"), (Sizes{3, 1}));
  EXPECT_EQ(sizes(U"\u0915\u094d\u0937"), (Sizes{3}));
  EXPECT_EQ(sizes(U"\u0915\u200d\u094d\u0937\u0937"), (Sizes{4, 1}));
  EXPECT_EQ(sizes(U"\u0915\u093c\u0937"), (Sizes{2, 1}));  // Nothing links them.
}

}  // namespace
}  // namespace sosie::text
