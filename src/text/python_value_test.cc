#include "text/python_value.h"

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>

#include "text/contract_vectors.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

// A value of the vectors, in which what JSON cannot hold is wrapped in an object of one member.
PythonValue unwrapped(const PythonValue& value) {
  PythonValue out = value;
  const bool single = value.kind == Kind::dict && value.items.size() == 2 && value.items[0].text.starts_with("$");
  if (!single) {
    for (PythonValue& item : out.items) item = unwrapped(item);
    return out;
  }
  const std::string& tag = value.items[0].text;
  const PythonValue& inside = value.items[1];
  if (tag == "$tuple" || tag == "$set") {
    out = unwrapped(inside);
    out.kind = tag == "$tuple" ? Kind::tuple : Kind::set;
  } else if (tag == "$dict") {
    out = PythonValue{.kind = Kind::dict};
    for (const PythonValue& pair : inside.items) {
      for (const PythonValue& each : pair.items) out.items.push_back(unwrapped(each));
    }
  } else if (tag == "$float") {
    const bool nan = inside.text == "nan";
    out = PythonValue{.kind = Kind::floating, .number = nan ? NAN : inside.text == "-inf" ? -INFINITY : INFINITY};
  } else if (tag == "$complex") {
    const auto part = [](const PythonValue& number) {
      return number.kind == Kind::integer ? std::stod(number.text) : number.number;
    };
    out = PythonValue{.kind = Kind::complex, .number = part(inside.items[0]), .imaginary = part(inside.items[1])};
  } else if (tag == "$ellipsis") {
    out = PythonValue{.kind = Kind::ellipsis};
  } else if (tag == "$bytes_hex") {
    out = PythonValue{.kind = Kind::bytes};
    for (std::size_t i = 0; i + 1 < inside.text.size(); i += 2) {
      unsigned byte = 0;
      std::from_chars(inside.text.data() + i, inside.text.data() + i + 2, byte, 16);
      out.text.push_back(static_cast<char>(byte));
    }
  } else if (tag == "$str_code_points") {
    out = PythonValue{.kind = Kind::string};
    for (const PythonValue& point : inside.items) append_utf8(static_cast<char32_t>(std::stoul(point.text)), out.text);
  } else {
    ADD_FAILURE() << "unknown tag " << tag;
  }
  return out;
}

bool same_number(double a, double b) {
  return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b));
}

bool same(const PythonValue& a, const PythonValue& b) {
  if (a.kind != b.kind || a.boolean != b.boolean || a.text != b.text || a.items.size() != b.items.size()) return false;
  if (!same_number(a.number, b.number) || !same_number(a.imaginary, b.imaginary)) return false;
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!same(a.items[i], b.items[i])) return false;
  }
  return true;
}

void expect_outcome(const PythonValue& vector, const Result<std::optional<PythonValue>>& read) {
  const std::string outcome = text_of(vector, "outcome");
  if (outcome == "raise") {
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::data_corruption);
    return;
  }
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->has_value(), outcome == "value");
  if (outcome == "value") EXPECT_TRUE(same(**read, unwrapped(*member(vector, "json"))));
}

TEST(PythonValue, IsReadAsRecorded) {
  const PythonValue file = read_vectors("value_vectors.json");
  const PythonValue* vectors = member(file, "read");
  ASSERT_NE(vectors, nullptr);
  ASSERT_GE(vectors->items.size(), 70U);
  for (const PythonValue& vector : vectors->items) {
    SCOPED_TRACE(text_of(vector, "id") + " " + text_of(vector, "name"));
    expect_outcome(vector, read_value(text_of(vector, "stored_text")));
  }
}

TEST(PythonValue, WhatPythonWroteIsReadBackAsRecorded) {
  const PythonValue file = read_vectors("value_vectors.json");
  const PythonValue* vectors = member(file, "write");
  ASSERT_NE(vectors, nullptr);
  ASSERT_GE(vectors->items.size(), 18U);
  for (const PythonValue& vector : vectors->items) {
    SCOPED_TRACE(text_of(vector, "name"));
    expect_outcome(*member(vector, "read_back"), read_value(text_of(vector, "stored_text")));
  }
}

TEST(PythonValue, KnowsCharactersByName) {
  const auto text = [](const std::string& literal) {
    const auto read = read_value(literal);
    return read && *read ? (*read)->text : "miss";
  };
  EXPECT_EQ(text(R"('\N{LATIN SMALL LETTER E WITH ACUTE}\N{snowman}\N{LINE FEED}')"), "\u00e9\u2603\n");
  EXPECT_EQ(text(R"('\N{CJK UNIFIED IDEOGRAPH-65E5}\N{HANGUL SYLLABLE HAN}\N{HANGUL SYLLABLE A}')"),
            "\u65e5\ud55c\uc544");
  EXPECT_EQ(text(R"('\N{NO SUCH NAME}')"), "miss");
  EXPECT_EQ(text(R"(r'\N{NO SUCH NAME}')"), R"(\N{NO SUCH NAME})");
}

// Whatever is stored: no deeper stack than a thousand levels, no more time than the length is worth.
TEST(PythonValue, HostileTextsEnd) {
  for (const std::string& unit : {"[", "{\"a\":", "(", "{'a':", "-", "(-", "1,", "'a'", "'", "'\\N{", "\"\\ud83d",
                                  "\\\n", "#\n", "1_", "0x", "\xff", "set("}) {
    std::string text;
    while (text.size() < 300'000) text += unit;
    (void)read_value(text);
    (void)read_value("[" + text + "]");
    (void)read_envelope("{'timestamp': 1, 'response': " + text + "}");
  }
  EXPECT_FALSE(read_value(std::string(300'000, '['))) << "RecursionError in Python";
}

// What LiteLLM's Cache does above: an envelope's response that is a text is read once more.
Result<std::optional<PythonValue>> read_through_cache(const std::string& stored) {
  auto envelope = read_envelope(stored);
  if (!envelope) return envelope.error();
  if (!*envelope) return std::optional<PythonValue>();
  auto value = read_value((*envelope)->response);
  if (value && !*value) return Error{ErrorCode::data_corruption, "the response is no value"};
  return value;
}

TEST(Envelope, IsOpenedAsRecorded) {
  const PythonValue file = read_vectors("value_vectors.json");
  const PythonValue* vectors = member(file, "cache_layer");
  ASSERT_NE(vectors, nullptr);
  ASSERT_GE(vectors->items.size(), 7U);
  for (const PythonValue& vector : vectors->items) {
    SCOPED_TRACE(text_of(vector, "name"));
    expect_outcome(*member(vector, "result"), read_through_cache(text_of(vector, "stored_text")));
  }
}

}  // namespace
}  // namespace sosie::text
