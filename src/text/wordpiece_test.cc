#include "text/wordpiece.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <thread>

#include "text/bert_unicode.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

using namespace std::string_literals;
using Ids = std::vector<std::int32_t>;

// A vocabulary small enough to spell by hand: ids are the places in this list.
WordPieceSpec small_spec() {
  WordPieceSpec spec;
  std::int32_t id = 0;
  for (const char* word : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "##s", "##at", "c", "a", "##b", "cafe", ",", "\u4f60", "\u304b", "##\u304b", "=", "\u0915", "[", "]", "sep", "i"}) {
    spec.vocabulary.emplace_back(word, id++);
  }
  spec.unknown = 1;
  spec.cls = 2;
  spec.sep = 3;
  spec.added = {{"[SEP]", 3}, {"[UNK]", 1}};
  return spec;
}

class WordPieceTest : public testing::Test {
 protected:
  Tokens tokenize(std::string_view text, std::size_t limit = 100) const { return tokenizer_.tokenize(text, limit); }
  Ids ids(std::string_view text) const { return tokenize(text).ids; }
  std::string unseen(std::string_view text, std::size_t limit = 100) const { return tokenize(text, limit).unseen; }

  WordPiece tokenizer_ = std::move(*WordPiece::create(small_spec()));
};

TEST_F(WordPieceTest, SplitsGreedilyAndFallsBackToUnknown) {
  EXPECT_EQ(ids("The CATS"), (Ids{2, 4, 5, 6, 3}));
  EXPECT_EQ(ids("cab"), (Ids{2, 1, 3}));  // "c" and then nothing begins with "##a".
  EXPECT_EQ(ids("ab,cat"), (Ids{2, 9, 10, 12, 5, 3}));
  EXPECT_EQ(ids("dog"), (Ids{2, 1, 3}));
  EXPECT_EQ(ids(""), (Ids{2, 3}));
  EXPECT_EQ(ids(" \t\n"), (Ids{2, 3}));
}

TEST_F(WordPieceTest, StripsAccentsInBothForms) {
  EXPECT_EQ(ids("Caf\u00e9"), (Ids{2, 11, 3}));
  EXPECT_EQ(ids("Cafe\u0301"), (Ids{2, 11, 3}));
  EXPECT_EQ(ids("\u0130"), (Ids{2, 21, 3}));
}

TEST_F(WordPieceTest, SplitsChinese) { EXPECT_EQ(ids("the\u4f60cat"), (Ids{2, 4, 13, 5, 3})); }

TEST_F(WordPieceTest, CleansControlsAndJoiners) {
  EXPECT_EQ(ids("c\0a\u200dt"s), (Ids{2, 5, 3}));
  EXPECT_EQ(ids("the\u00a0cat\u3000the"), (Ids{2, 4, 5, 4, 3}));
}

TEST_F(WordPieceTest, SpecialTokensInTheTextAreTakenAsTheyStand) {
  EXPECT_EQ(ids("a[SEP]a"), (Ids{2, 9, 3, 9, 3}));
  EXPECT_EQ(ids("a[sep]a"), (Ids{2, 9, 18, 20, 19, 9, 3}));
  EXPECT_EQ(ids("[[SEP]"), (Ids{2, 18, 3, 3}));
}

TEST_F(WordPieceTest, LongWordsAreUnknown) {
  EXPECT_EQ(tokenize("a" + std::string(99, 'b'), 200).ids.size(), 102U);
  EXPECT_EQ(ids("a" + std::string(100, 'b')), (Ids{2, 1, 3}));
  EXPECT_NE(unseen("a" + std::string(100, 'b')), unseen("a" + std::string(101, 'b')));
}

TEST_F(WordPieceTest, TheWindowCutsAndSaysSo) {
  const Tokens whole = tokenize("the cats, the cat", 8);
  EXPECT_FALSE(whole.truncated);
  EXPECT_EQ(whole.unseen, "");
  const Tokens cut = tokenize("the cats, the cat", 7);
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(cut.ids, (Ids{2, 4, 5, 6, 12, 4, 3}));
  EXPECT_EQ(cut.unseen, "t0:3:cat");
  EXPECT_EQ(tokenize("the cats", 4).unseen, "t0:1:s");  // In the middle of a word.
  EXPECT_EQ(tokenize("the cat   ", 4).truncated, false);
  EXPECT_EQ(tokenize("the", 2).ids, (Ids{2, 3}));
  EXPECT_TRUE(tokenize("the", 2).truncated);
}

TEST_F(WordPieceTest, WhatIdsForgetIsUnseen) {
  EXPECT_EQ(unseen("the cat,  cafe THE"), "");
  EXPECT_EQ(unseen("Caf\u00e9"), unseen("cafe\u0301"));
  EXPECT_EQ(unseen("the \U0001F436"), "u0:4:\U0001F436");
  const std::pair<std::string, std::string> pairs[] = {
      {"\U0001F436", "\U0001F431"},              // Unknown words.
      {"[UNK] \U0001F436", "\U0001F436 [UNK]"},  // Which of them is which.
      {"\u304c", "\u304b"},                      // Dakuten, composed.
      {"\u304b\u3099", "\u304b"},                // And not.
      {"\u0915\u0941 \u0915", "\u0915 \u0915\u0941"},
      {"a \u2260 a", "a = a"},
      {"caf\u00e9", "cafe"},
      {"the Cat2Cat", "the cat2cat"},
      {"the\n  cat", "the\ncat"},
      {"the\n  cat", "the\n\tcat"},
      {"the Cat2Cat cat2cat", "the cat2cat Cat2Cat"},
      {"cat\u0336", "cat"},
      {"the \ue000 cat", "the cat"},
      {"the \xFF cat", "the cat"},
      {"\u202ethe cat", "the cat"},
      {"the cat\U000E0041", "the cat"},
      {"c\u200bat", "cat"},  // What people do not see and the LLM receives.
      {"c\u200bat", "ca\u200bt"},
      {"c\u200bat", "c\u200cat"},
      {"c\u200bat cat", "cat c\u200bat"},
      {"the cat\ufe0f", "the cat"},
      {"the\x01 cat", "the cat"},
      {"the \u200e cat", "the cat"},
  };
  for (const auto& [left, right] : pairs) {
    EXPECT_EQ(ids(left), ids(right)) << left;
    EXPECT_NE(unseen(left), unseen(right)) << left;
  }
}

TEST_F(WordPieceTest, CombiningOrderDoesNotMatter) { EXPECT_EQ(ids("a\u0323\u0301"), ids("a\u0301\u0323")); }

// Texts that have been stored are found only as long as this stays as it is.
TEST_F(WordPieceTest, UnseenIsWrittenInOneWay) {
  EXPECT_EQ(unseen("Caf\u00e9 caf\u00e9"), "m0:5:caf\u00e9m1:5:caf\u00e9");
  EXPECT_EQ(unseen("the \ue000 cat"), "s2:3:\ue000");
  EXPECT_EQ(unseen("the dog"), "u0:3:dog");
}

std::string with(std::string text, std::size_t at, char32_t point) {
  std::string inserted;
  append_utf8(point, inserted);
  return text.insert(at, inserted);
}

std::string name_of(char32_t point) {
  char name[16];
  std::snprintf(name, sizeof name, "U+%04X", static_cast<unsigned>(point));
  return name;
}

TEST_F(WordPieceTest, NothingIsDroppedUnseen) {
  const std::string_view plain = "the cat";
  const Ids plain_ids = ids(plain);
  std::size_t dropped = 0;
  for (char32_t point = 0; point < 0x110000; ++point) {
    if ((point >= 0xD800 && point < 0xE000) || point == 0xAD || bert::is_space(point)) continue;
    if (ids(with(std::string(plain), 5, point)) != plain_ids) continue;
    ++dropped;
    ASSERT_NE(unseen(with(std::string(plain), 5, point)), "") << name_of(point);
    const bool private_use = (point >= 0xE000 && point < 0xF900) || point >= 0xF0000;
    if (private_use && point % 0x1000 != 0) continue;  // 137,468 of a kind: some of them will do.
    // Words that are known, unknown, with accents, of code; at their beginning, inside and at their end, and at that of the text.
    for (const std::string text : {"the cat", "a dog \u00e9 a", "my_Var = the_Cat"}) {
      for (std::size_t at = 0; at <= text.size(); ++at) {
        const bool inside_a_character = at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
        if (inside_a_character || (at == 0 && point == 0xFEFF)) continue;
        const std::string hidden = with(text, at, point);
        ASSERT_NE(unseen(hidden), unseen(text)) << name_of(point) << " at " << at << " of " << text;
        const std::string longer = with(hidden, at, point);
        ASSERT_NE(unseen(hidden), unseen(longer)) << name_of(point) << " twice at " << at << " of " << text;
      }
    }
  }
  EXPECT_GT(dropped, 2'000U);  // Marks, controls, format characters, private use.
}

TEST_F(WordPieceTest, AKnownFewChangeNothing) {
  const std::pair<std::string, std::string> equal[] = {
      {"c\u00adat", "cat"}, {"the \u00ad cat", "the cat"}, {"d\u00adog", "dog"}, {"caf\u00ad\u00e9", "caf\u00e9"}, {"my\u00ad_Var", "my_Var"},
      {"\ufeffthe cat", "the cat"}, {"\ufeffmy_Var", "my_Var"},
      {"the \u2764\ufe0f cat", "the \u2764 cat"}, {"the \u2764\ufe0e cat", "the \u2764 cat"}, {"\u2764\ufe0f\u2764\ufe0f", "\u2764\u2764"},
  };
  for (const auto& [left, right] : equal) {
    EXPECT_EQ(ids(left), ids(right)) << left;
    EXPECT_EQ(unseen(left), unseen(right)) << left;
  }
  const std::pair<std::string, std::string> different[] = {
      {"the \ufeffcat", "the cat"},                      // Not at the start of the text.
      {"\ufeff\ufeffthe cat", "the cat"},
      {"the \u2764\ufe0f\ufe0f cat", "the \u2764 cat"},  // More than one choice of style.
      {"the \u2764\ufe00 cat", "the \u2764 cat"},
      {"the \u2764\U000e0100 cat", "the \u2764 cat"},
      {"the \ufe0f cat", "the cat"},
  };
  for (const auto& [left, right] : different) EXPECT_NE(unseen(left), unseen(right)) << left;
}

TEST_F(WordPieceTest, ReadsOnlyAsMuchAsTheWindowHolds) {
  const std::string endless = "the " + std::string(std::size_t{1} << 24, ' ') + "cat the cat";
  EXPECT_EQ(tokenize(endless, 4).ids, (Ids{2, 4, 5, 3}));
}

TEST_F(WordPieceTest, ManyMarksOnOneLetter) {
  std::string text = "a";
  for (int i = 0; i < 200'000; ++i) text += i % 2 == 0 ? "\u0301" : "\u0323";
  EXPECT_EQ(ids(text), (Ids{2, 9, 3}));
}

TEST(WordPiece, CaseAndAccentsStayWhereTheModelKeepsThem) {
  WordPieceSpec spec = small_spec();
  spec.lowercase = false;
  spec.strip_accents = false;
  const WordPiece cased = std::move(*WordPiece::create(std::move(spec)));
  EXPECT_EQ(cased.tokenize("The cat caf\u00e9", 9).ids, (Ids{2, 1, 5, 1, 3}));
  EXPECT_EQ(cased.tokenize("the Cat2Cat", 9).unseen, "u0:7:Cat2Cat");
  EXPECT_NE(cased.tokenize("the\n  cat", 9).unseen, cased.tokenize("the\ncat", 9).unseen);
}

TEST(WordPiece, RefusesWhatCannotWork) {
  EXPECT_EQ(WordPiece::create({}).error().code, ErrorCode::invalid_argument);
  WordPieceSpec spec = small_spec();
  spec.added.emplace_back("", 1);
  EXPECT_FALSE(WordPiece::create(std::move(spec)));
}

}  // namespace
}  // namespace sosie::text
