#include "text/glob.h"

#include <gtest/gtest.h>

#include <string>

namespace sosie::text {
namespace {

TEST(Glob, APatternWithoutAStarIsTheNameItself) {
  EXPECT_TRUE(matches_glob("gpt-4o", "gpt-4o"));
  EXPECT_FALSE(matches_glob("gpt-4o", "gpt-4o-mini"));
  EXPECT_FALSE(matches_glob("gpt-4o", "GPT-4o"));
  EXPECT_FALSE(matches_glob("gpt?4o", "gpt-4o"));
  EXPECT_TRUE(matches_glob("", ""));
  EXPECT_FALSE(matches_glob("", "x"));
}

TEST(Glob, AStarIsAnyRunOfCharacters) {
  for (const char* pattern : {"*", "**", "gpt*", "*4o", "g*o", "g*4*", "gpt-4o*", "*gpt-4o", "*-*", "g*t*-*4*o"})
    EXPECT_TRUE(matches_glob(pattern, "gpt-4o")) << pattern;
  for (const char* pattern : {"claude*", "*5", "g*x*o", "gpt-4o*o", "*gpt-4oo", "o*g", "**x**"})
    EXPECT_FALSE(matches_glob(pattern, "gpt-4o")) << pattern;
  EXPECT_TRUE(matches_glob("*", ""));
}

TEST(Glob, HeadAndTailShareNoCharacter) {
  EXPECT_FALSE(matches_glob("aba*ba", "aba"));
  EXPECT_TRUE(matches_glob("aba*ba", "ababa"));
  EXPECT_FALSE(matches_glob("a*b*b", "ab"));
}

TEST(Glob, LongNamesAndManyStarsCostLittle) {
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  EXPECT_TRUE(matches_glob(pattern + "*", std::string(100'000, 'a')));
  EXPECT_FALSE(matches_glob(pattern + "*b*", std::string(100'000, 'a')));
}

}  // namespace
}  // namespace sosie::text
