#include "text/unigram.h"

#include <gtest/gtest.h>

#include <cstring>

#include "text/harmless.h"
#include "text/piece_trie.h"
#include "text/unseen.h"

namespace sosie::text {
namespace {

using namespace std::string_literals;
using Ids = std::vector<std::int32_t>;

// Replaces keys of one byte, or of several that share no beginning with another: enough of a double array for a test. A key's bytes lead
// through blocks of 256 units, one for each of its places.
std::string charsmap(const std::vector<std::pair<std::string, std::string>>& replacements) {
  std::vector<std::uint32_t> units(256);
  const auto block = [&] {
    const std::size_t at = units.size();
    units.resize(at + 256);
    return static_cast<std::uint32_t>(at);
  };
  const auto leads_to = [](std::uint32_t from, std::uint32_t to) { return (from ^ to) << 10; };
  std::string texts;
  std::uint32_t root = block();
  units[0] = leads_to(0, root);
  for (const auto& [key, text] : replacements) {
    std::uint32_t base = root;
    for (std::size_t i = 0; i < key.size(); ++i) {
      const std::uint32_t byte = static_cast<unsigned char>(key[i]), at = base ^ byte;
      if (units[at] == 0) units[at] = byte | leads_to(at, block());
      base = at ^ (units[at] >> 10);
      if (i + 1 < key.size()) continue;
      units[at] |= 1U << 8;
      units[base] = (1U << 31) | static_cast<std::uint32_t>(texts.size());
    }
    texts += text + '\0';
  }
  const auto bytes = static_cast<std::uint32_t>(units.size() * 4);
  std::string out(4 + bytes, '\0');
  std::memcpy(out.data(), &bytes, 4);
  std::memcpy(out.data() + 4, units.data(), bytes);
  return out + texts;
}

// Ids are the places in this list; '_' stands for the space mark.
UnigramSpec small_spec() {
  UnigramSpec spec;
  for (auto [piece, score] : std::initializer_list<std::pair<std::string, double>>{
           {"<s>", 0}, {"</s>", 0}, {"<unk>", 0}, {"_", -3}, {"a", -2}, {"b", -2.5}, {"ab", -4}, {"_a", -2.25}, {"_abc", -9}, {"c", -4}, {"2", -3}, {"fi", -3}, {"x", -4},
           {"_x", -3}, {"\u00e9", -5}, {"\u4f60", -5}, {"\u597d", -5}, {"?", -3}}) {
    if (piece.starts_with('_')) piece.replace(0, 1, "\u2581");
    spec.vocabulary.emplace_back(piece, score);
  }
  spec.opening = 0;
  spec.closing = 1;
  spec.unknown = 2;
  spec.added = {{"<s>", 0, false, false, false}, {"<unk>", 2, false, false, false}, {"<m>", 18, true, false, false}};
  spec.steps = {*Charsmap::create(charsmap({{"\u00b2", "2"}, {"\ufb01", "fi"}, {"\n", " "}, {"\x01", ""}, {"\u200b", " "}, {"\uff1f", "?"}, {"\u00e8", "\u00e9"}, {"\u00a0", " "}})),
                UnigramSpec::CollapseSpaces{U" "}};
  return spec;
}

class UnigramTest : public testing::Test {
 protected:
  Tokens tokenize(std::string_view text, std::size_t limit = 100) const { return tokenizer_.tokenize(text, limit); }
  // Without the two at the ends.
  Ids ids(std::string_view text) const {
    Ids all = tokenize(text).ids;
    EXPECT_EQ(all.front(), 0);
    EXPECT_EQ(all.back(), 1);
    return {all.begin() + 1, all.end() - 1};
  }
  std::vector<std::string> unseen(std::string_view text, std::size_t limit = 100) const { return unseen_words(tokenize(text, limit).unseen, 9); }
  void make(UnigramSpec spec) { tokenizer_ = std::move(*Unigram::create(std::move(spec))); }

  Unigram tokenizer_ = std::move(*Unigram::create(small_spec()));
};
using Words = std::vector<std::string>;

TEST_F(UnigramTest, TakesTheLikeliestPieces) {
  EXPECT_EQ(ids("ab"), (Ids{7, 5}));         // _a b: -4.75. _ ab: -7.
  EXPECT_EQ(ids("bab"), (Ids{3, 5, 6}));     // _ b ab: -9.5, which _ b a b has to beat, and is met first.
  EXPECT_EQ(ids("abc"), (Ids{7, 5, 9}));     // -8.75, and _abc has -9.
  EXPECT_EQ(ids("\u4f60\u597d"), (Ids{3, 15, 16}));
  EXPECT_EQ(ids(""), Ids());
  EXPECT_EQ(ids(" "), (Ids{3}));
  EXPECT_EQ(ids("a  a"), (Ids{7, 7}));
}

TEST_F(UnigramTest, FusesWhatItDoesNotKnow) {
  EXPECT_EQ(ids("dog"), (Ids{3, 2}));
  EXPECT_EQ(ids("dog dog a"), (Ids{3, 2, 3, 2, 7}));
  EXPECT_EQ(unseen("dog dot a"), (Words{"dog", "dot"}));
  EXPECT_EQ(ids("<unk>"), (Ids{2}));
  EXPECT_EQ(unseen("<unk>"), (Words{"<unk>"}));
}

TEST_F(UnigramTest, AddedTokensAreTakenOutOfTheRawText) {
  EXPECT_EQ(ids("a<s>a"), (Ids{7, 0, 7}));
  EXPECT_EQ(ids("a <m> a"), (Ids{7, 18, 7}));   // It takes the space before it, and the mark of that behind it is no second one.
  EXPECT_EQ(ids("a <s>a"), (Ids{7, 3, 0, 7}));
  EXPECT_EQ(ids("\n <m>"), (Ids{18}));
}

TEST_F(UnigramTest, WhatTheNormaliserChangesIsUnseenWhereItSaidSomething) {
  EXPECT_EQ(ids("x\u00b2"), (Ids{13, 10}));
  EXPECT_EQ(ids("x2"), (Ids{13, 10}));
  EXPECT_EQ(unseen("x\u00b2"), (Words{"\u00b2"}));
  EXPECT_EQ(unseen("x2 \ufb01\u00a0a\na \u4f60\u597d\uff1f"), Words());
  EXPECT_EQ(ids("\u00e8"), (Ids{3, 14}));
  EXPECT_EQ(unseen("\u00e8"), (Words{"\u00e8"}));
  EXPECT_EQ(ids("x\u200ba"), (Ids{13, 7}));
  EXPECT_EQ(unseen("x\u200ba"), (Words{"[U+200B]a"}));
  EXPECT_EQ(ids("a\x01"), (Ids{7}));
  EXPECT_EQ(unseen("a\x01"), (Words{"[U+0001]"}));
  EXPECT_EQ(unseen("\x01 a"), (Words{"[U+0001] a"}));
  EXPECT_EQ(unseen("a \u2581 a"), (Words{"\u2581"}));
  EXPECT_EQ(unseen("a \xff"), (Words{"[U+FFFD]"}));
}

TEST_F(UnigramTest, TellsApartWhichPieceLostSomething) {
  EXPECT_EQ(ids("2\u00b2 2"), ids("22 \u00b2"));
  EXPECT_NE(tokenize("2\u00b2 2").unseen, tokenize("22 \u00b2").unseen);
  EXPECT_NE(tokenize("\u00b22 2").unseen, tokenize("2\u00b2 2").unseen);
  // Other words around it change nothing.
  EXPECT_EQ(tokenize("a ab x\u00b2").unseen, tokenize("x\u00b2 b").unseen);
}

TEST_F(UnigramTest, AShortGraphemeIsReplacedByWhatItsBeginningBecomes) {
  EXPECT_EQ(ids("x\u00b2\u0301"), (Ids{13, 10}));
  EXPECT_EQ(unseen("x\u00b2\u0301"), (Words{"\u00b2\u0301"}));
  EXPECT_EQ(ids("x\u00b2\u0301\u0301"), (Ids{13, 10, 2}));  // Of 6 bytes.
}

TEST_F(UnigramTest, TheWindowCutsAndSaysSo) {
  const Tokens cut = tokenize("a ab x\u00b2", 5);
  EXPECT_EQ(cut.ids, (Ids{0, 7, 7, 5, 1}));
  EXPECT_TRUE(cut.truncated);
  EXPECT_EQ(unseen_words(cut.unseen, 9), (Words{"\u2026 x\u00b2"}));
  EXPECT_FALSE(tokenize("a ab", 5).truncated);
  EXPECT_EQ(tokenize("a", 2).ids, (Ids{0, 1}));
  EXPECT_EQ(tokenize("a <m>", 3).ids, (Ids{0, 7, 1}));
}

TEST_F(UnigramTest, IndentationIsTracedAndCaseIsSeen) {
  EXPECT_EQ(unseen("a\n  b"), (Words{"indentation"}));
  EXPECT_FALSE(tokenizer_.lowercases());
  auto spec = small_spec();
  spec.steps = {*Charsmap::create(charsmap({{"A", "a"}, {"B", "b"}}))};
  make(std::move(spec));
  EXPECT_TRUE(tokenizer_.lowercases());
  EXPECT_EQ(ids("Ab"), (Ids{7, 5}));
  EXPECT_EQ(unseen("Ab"), Words());
  EXPECT_EQ(unseen("aB(2)").back(), "aB(2)");  // As code.
}

TEST_F(UnigramTest, SplittersAndMarksAreAsTheModelSays) {
  auto spec = small_spec();
  spec.split_at_space = true;
  make(spec);
  EXPECT_EQ(ids(" a  ab "), (Ids{7, 7, 5}));
  EXPECT_EQ(ids("a\u3000a"), (Ids{7, 7}));
  EXPECT_EQ(unseen("a\u200bb"), (Words{"[U+200B]b"}));

  spec = small_spec();
  spec.prepends_mark = false;
  make(spec);
  EXPECT_EQ(ids("a a"), (Ids{4, 7}));

  spec = small_spec();
  spec.vocabulary.emplace_back("\u2581a\u2581a", -1);
  make(spec);
  EXPECT_EQ(ids("a a"), (Ids{7, 7}));
  spec.split_at_mark = false;
  make(spec);
  EXPECT_EQ(ids("a a"), (Ids{18}));
}

TEST_F(UnigramTest, StripsWhiteSpaceAndKeepsWhatItHides) {
  auto spec = small_spec();
  spec.steps = {spec.steps[0], UnigramSpec::Strip{false, true}, UnigramSpec::CollapseSpaces{U"\u2581"}};
  make(std::move(spec));
  EXPECT_EQ(ids("  a  a \n "), (Ids{7, 7}));
  EXPECT_EQ(ids("a "), (Ids{7}));
  EXPECT_EQ(unseen("a \u200b "), (Words{"[U+200B]"}));
  EXPECT_NE(tokenize("a \u200b ").unseen, tokenize("a").unseen);
}

TEST_F(UnigramTest, NormalizedAddedTokensAreFoundInWhatTheNormaliserMade) {
  auto spec = small_spec();
  spec.added.push_back({"?x", 19, true, true, true});
  make(std::move(spec));
  EXPECT_EQ(ids("a \uff1fx a"), (Ids{7, 19, 7}));
  EXPECT_EQ(ids("a?xa"), (Ids{7, 19, 7}));
  EXPECT_EQ(tokenizer_.max_id(), 19);
}

TEST_F(UnigramTest, UnknownBytesBecomePiecesWhereTheModelHasThem) {
  auto spec = small_spec();
  spec.byte_fallback = true;
  spec.vocabulary.emplace_back("<0xC3>", -20);
  spec.vocabulary.emplace_back("<0xA4>", -20);
  make(std::move(spec));
  EXPECT_EQ(ids("a\u00e4"), (Ids{7, 18, 19}));
  EXPECT_EQ(unseen("a\u00e4"), Words());
  EXPECT_EQ(ids("a<0xC3><0xA4>"), (Ids{7, 18, 19}));
  EXPECT_EQ(unseen("a<0xC3><0xA4>"), (Words{"<0xc3>", "<0xa4>"}));
  EXPECT_EQ(ids("a\u00f6"), (Ids{7, 2}));  // One of its bytes has no piece.
}

TEST(Unigram, RefusesWhatItCannotBeMadeOf) {
  const auto message = [](auto change) {
    UnigramSpec spec = small_spec();
    change(spec);
    const auto made = Unigram::create(std::move(spec));
    return made ? std::string() : made.error().message;
  };
  EXPECT_NE(message([](UnigramSpec& s) { s.vocabulary.clear(); }), "");
  EXPECT_NE(message([](UnigramSpec& s) { s.unknown = 99; }), "");
  EXPECT_NE(message([](UnigramSpec& s) { s.opening = -1; }), "");
  EXPECT_NE(message([](UnigramSpec& s) { s.added.push_back({"", 1, false, false, false}); }), "");
  EXPECT_NE(message([](UnigramSpec& s) { s.added.push_back({"a b", 1, false, false, true}); }), "");
  EXPECT_NE(message([](UnigramSpec& s) { s.steps.push_back(s.steps[0]); }), "");
}

TEST(PieceTrie, FindsBeginningsTheShortestFirst) {
  const PieceTrie trie({{"abc", 1}, {"a", 2}, {"ab", 3}, {"b", 4}, {"ab", 5}, {"", 6}, {"a\0"s, 7}, {"\u00e9", 8}, {"abcdefghij", 9}, {"abcdefghik", 10}});
  std::vector<std::pair<std::size_t, std::int32_t>> found;
  trie.for_each_beginning("abcdefghikl", [&](std::size_t bytes, std::int32_t id) { found.emplace_back(bytes, id); });
  EXPECT_EQ(found, (std::vector<std::pair<std::size_t, std::int32_t>>{{1, 2}, {2, 5}, {3, 1}, {10, 10}}));
  EXPECT_EQ(trie.find("a\0"s), 7);
  EXPECT_EQ(trie.find("\u00e9"), 8);
  EXPECT_EQ(trie.find("abcd"), PieceTrie::kNone);
  EXPECT_EQ(trie.find(""), PieceTrie::kNone);
}

TEST(Charsmap, RefusesAndSurvivesWhatIsNone) {
  EXPECT_FALSE(Charsmap::create(""));
  EXPECT_FALSE(Charsmap::create("\x04\0\0"s));
  EXPECT_FALSE(Charsmap::create("\x08\0\0\0aaaa"s));      // Longer than it is.
  EXPECT_FALSE(Charsmap::create("\x04\0\0\0aaaa\xff"s));  // Not UTF-8.
  const auto wild = Charsmap::create("\x08\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff"s);
  ASSERT_TRUE(wild);
  EXPECT_FALSE(wild->replacement("a"));
}

TEST(IsHarmless, ComparesWhatIsSaid) {
  for (const auto& [before, after] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"a", "a"}, {"\uff21", "A"}, {"\uff1f", "?"}, {"\u3000", " "}, {"\n", " "}, {"\u2026", "..."}, {"e\u0301", "\u00e9"}, {"\ufb01", "fi"}, {"\uff76\uff9e", "\u30ac"}, {"A", "a"},
           {"\ufeb3", "\u0633"}}) {
    EXPECT_TRUE(is_harmless(before, after)) << before;
  }
  for (const auto& [before, after] : std::initializer_list<std::pair<std::string_view, std::string_view>>{
           {"\u00b2", "2"}, {"\u2460", "1"}, {"\u00bd", "1\u20442"}, {"\U0001d400", "A"}, {"\u2082", "2"}, {"\u200b", " "}, {"\x01", ""}, {"\n", ""}, {"\uff45\u0301", "e"}, {"\u00e9", "e"}}) {
    EXPECT_FALSE(is_harmless(before, after)) << before;
  }
}

}  // namespace
}  // namespace sosie::text
