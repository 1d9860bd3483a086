#include "text/unseen.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/wordpiece.h"

namespace sosie::text {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> words_of(std::string_view text, std::size_t limit = 100) {
  WordPieceSpec spec;
  std::int32_t id = 0;
  for (const char* word : {"[UNK]", "[CLS]", "[SEP]", "the", "##rap", "##ist", "cafe", "def", "f", "x", "my", "_", "var"}) {
    spec.vocabulary.emplace_back(word, id++);
  }
  spec.cls = 1;
  spec.sep = 2;
  return unseen_words(WordPiece::create(std::move(spec))->tokenize(text, limit).unseen, 8);
}

TEST(UnseenWords, AreListedAsPeopleWouldReadThem) {
  EXPECT_THAT(words_of("the cafe"), IsEmpty());
  EXPECT_THAT(words_of("the Passwort caf\u00e9"), ElementsAre("Passwort", "caf\u00e9"));
  EXPECT_THAT(words_of("the\u200brapist"), ElementsAre("the[U+200B]rapist"));
  EXPECT_THAT(words_of("the \U000e0041 cafe"), ElementsAre("[U+E0041]"));
  EXPECT_THAT(words_of("the \xff cafe"), ElementsAre("[U+FFFD]"));
  EXPECT_THAT(words_of("my_Var\n  x"), ElementsAre("my_Var", "indentation"));
  EXPECT_THAT(words_of("the cafe the cafe", 4), ElementsAre("\u2026the cafe"));
}

TEST(UnseenWords, AreFewAndShort) {
  EXPECT_THAT(words_of("dog dog cat"), ElementsAre("dog", "cat"));
  EXPECT_EQ(words_of("a b c d e g h i j k l").size(), 8U);
  EXPECT_THAT(words_of(std::string(500, 'z')), ElementsAre(std::string(40, 'z') + "\u2026"));
}

TEST(UnseenWords, ReadWhatCanBeReadOfAnything) {
  EXPECT_THAT(unseen_words("", 8), IsEmpty());
  EXPECT_THAT(unseen_words("what another encoder says", 8), IsEmpty());
  EXPECT_THAT(unseen_words("u0:3:dogu0:99:cat", 8), ElementsAre("dog"));
  EXPECT_THAT(unseen_words("u0:18446744073709551616:x", 8), IsEmpty());
  EXPECT_THAT(unseen_words("c3:a_Bn0i0:", 8), ElementsAre("a_B", "indentation"));
}

}  // namespace
}  // namespace sosie::text
