#include "text/utf8.h"

#include <gtest/gtest.h>

namespace sosie::text {
namespace {

using namespace std::string_literals;

std::u32string decode(std::string_view text) {
  std::u32string out;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    EXPECT_GE(next.bytes, 1U);
    EXPECT_LE(at + next.bytes, text.size());
    out.push_back(next.point);
    at += next.bytes;
  }
  return out;
}

TEST(Utf8, DecodesEveryLength) { EXPECT_EQ(decode("a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x90\xB6"), U"a\u00e9\u4f60\U0001F436"); }

TEST(Utf8, BrokenBytesAreReadAsPythonReadsThem) {
  EXPECT_EQ(decode("\xFF"), U"\ufffd");
  EXPECT_EQ(decode("\xC0\x80"), U"\ufffd\ufffd");              // Overlong.
  EXPECT_EQ(decode("\xE0\x80\x80"), U"\ufffd\ufffd\ufffd");    // Overlong.
  EXPECT_EQ(decode("\xED\xA0\x80"), U"\ufffd\ufffd\ufffd");    // A surrogate.
  EXPECT_EQ(decode("\xF4\x90\x80\x80"), U"\ufffd\ufffd\ufffd\ufffd");  // Beyond U+10FFFF.
  EXPECT_EQ(decode("\xF0\x9F\x90"), U"\ufffd");                // Cut off.
  EXPECT_EQ(decode("\xF0\x9F\x90z"), U"\ufffdz");
  EXPECT_EQ(decode("\xE4\xBD"), U"\ufffd");
}

TEST(Utf8, ValidatesWhatItDecodesWithoutLoss) {
  EXPECT_TRUE(validate_utf8(""));
  EXPECT_TRUE(validate_utf8("a\xEF\xBF\xBD"));  // A literal U+FFFD.
  EXPECT_TRUE(validate_utf8("\xF4\x8F\xBF\xBF"));
  for (const char* bad : {"\xFF", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE4\xBD", "\x80"}) EXPECT_FALSE(validate_utf8(bad)) << bad;
}

TEST(Utf8, EveryCodePointComesBack) {
  for (char32_t p = 0; p <= 0x10FFFF; ++p) {
    if (p >= 0xD800 && p < 0xE000) continue;
    std::string text;
    append_utf8(p, text);
    const Decoded back = decode_at(text, 0);
    ASSERT_EQ(back.point, p);
    ASSERT_EQ(back.bytes, text.size());
    ASSERT_TRUE(validate_utf8(text));
  }
}

TEST(Utf8, FoldsCaseInFull) {
  EXPECT_EQ(case_fold("STRASSE"), case_fold("stra\u00dfe"));
  EXPECT_EQ(case_fold("\u03a3\u03c3\u03c2"), "\u03c3\u03c3\u03c3");
  EXPECT_EQ(case_fold("\u212a"), "k");
  EXPECT_NE(case_fold("\u00e9"), case_fold("e"));
  EXPECT_EQ(case_fold("a\xFF"), "a\xEF\xBF\xBD");
  EXPECT_EQ(case_fold("a\0B"s), "a\0b"s);
}

TEST(Utf8, BlankIsWhatNobodySees) {
  for (const auto& blank : {""s, " \t\r\n"s, "\u00a0\u3000\u2028"s, "\u200b\u200d\ufeff\u2060"s, "\0\x01"s, "\u00ad"s, "\ufe0f"s}) EXPECT_TRUE(is_blank(blank));
  for (const auto& seen : {"a"s, " . "s, "\u0301"s, "\ue000"s, "\xFF"s, "\U0001F436"s}) EXPECT_FALSE(is_blank(seen));
}

TEST(Utf8, APrefixEndsBetweenCodePoints) {
  EXPECT_EQ(prefix_of("abc", 5), "abc");
  EXPECT_EQ(prefix_of("abc", 2), "ab");
  EXPECT_EQ(prefix_of("aé", 2), "a");
  EXPECT_EQ(prefix_of("日本", 5), "日");
  EXPECT_EQ(prefix_of("日本", 0), "");
}

}  // namespace
}  // namespace sosie::text
