#include "text/wordpiece.h"

#include <gtest/gtest.h>

#include <thread>

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
  EXPECT_EQ(unseen("c\0a\u200dt"s), "");
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
  };
  for (const auto& [left, right] : pairs) {
    EXPECT_EQ(ids(left), ids(right)) << left;
    EXPECT_NE(unseen(left), unseen(right)) << left;
  }
}

TEST_F(WordPieceTest, VariationSelectorsAndCombiningOrderDoNotMatter) {
  EXPECT_EQ(unseen("cat\ufe0f"), "");
  EXPECT_EQ(ids("a\u0323\u0301"), ids("a\u0301\u0323"));
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
