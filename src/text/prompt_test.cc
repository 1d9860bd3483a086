#include "text/prompt.h"

#include <gtest/gtest.h>

#include "text/contract_vectors.h"

namespace sosie::text {
namespace {

std::string prompt(std::string_view kwargs) {
  auto read = prompt_from_kwargs(kwargs);
  if (!read) return "error: " + std::string(to_string(read.error().code));
  return *read ? "=" + **read : "none";
}

TEST(Prompt, IsTheRecordedOne) {
  const PythonValue file = read_vectors("prompt_vectors.json");
  const PythonValue* vectors = member(file, "vectors");
  ASSERT_NE(vectors, nullptr);
  ASSERT_GE(vectors->items.size(), 65U);
  for (const PythonValue& vector : vectors->items) {
    SCOPED_TRACE(text_of(vector, "id") + " " + text_of(vector, "name"));
    std::string expected = "error: invalid_argument";
    if (const PythonValue* wanted = member(vector, "prompt"))
      expected = is_kind(wanted, PythonValue::Kind::none) ? "none" : "=" + wanted->text;
    EXPECT_EQ(prompt(json_of(*member(vector, "kwargs"))), expected);
  }
}

TEST(Prompt, TakesCitationsAsPythonWritesThem) {
  const auto citations = [](const std::string& json) {
    return prompt(
        R"({"messages": [{"search_results": [{"title": "T", "source": "S", "content": [{"text": "C"}], "citations": )" +
        json + "}]}]}");
  };
  EXPECT_EQ(citations("null"), "=STC");
  EXPECT_EQ(citations("false"), "=STCfalse");
  EXPECT_EQ(citations(R"({"b": [1, 2.0, 1e16, 1e-5], "a": "é😀"})"),
            R"(=STC{"b":[1,2.0,1e+16,1e-05],"a":"\u00e9\ud83d\ude00"})");
  EXPECT_EQ(citations(R"([NaN, -Infinity, 123456789012345678901234567890, "\ud800", "/\u007f"])"),
            R"(=STC[NaN,-Infinity,123456789012345678901234567890,"\ud800","/\u007f"])");
}

TEST(Prompt, StripsWhatPythonStrips) {
  EXPECT_EQ(prompt("{\"input\": \"\u00a0\u2003\u3000\\u001c x\u200b \u2028\"}"), "=x\u200b");
  EXPECT_EQ(prompt("{\"input\": \"\ufeff\"}"), "=\ufeff");
  EXPECT_EQ(prompt(R"({"input": ["\u0085 \u1680\u202f\u205f", "\u0000"]})"), std::string("=\0", 2));
}

TEST(Prompt, MessagesCountOnlyWherePythonHoldsThemTrue) {
  for (const char* none : {"null", "[]", "{}", "0", "-0.0", "false", "\"\""}) {
    EXPECT_EQ(prompt(std::string(R"({"input": "x", "messages": )") + none + "}"), "=x") << none;
  }
  for (const char* raises : {"{\"a\": 1}", "1", "true", "NaN", "\"hi\"", "[[]]", "[{}, null]"}) {
    EXPECT_EQ(prompt(std::string(R"({"input": "x", "messages": )") + raises + "}"), "error: invalid_argument")
        << raises;
  }
}

TEST(Prompt, KeepsLoneSurrogatesAsTheirThreeBytes) {
  EXPECT_EQ(prompt(R"({"messages": [{"content": "a\ud83db"}]})"),
            "=a\xED\xA0\xBD"
            "b");
  EXPECT_EQ(prompt(R"({"messages": [{"content": "\ud83d\ude00"}]})"), "=😀");
}

TEST(Prompt, RefusesWhatIsNoRequest) {
  for (const char* text : {"", "[]", "{", "null", "{\"messages\": [}", "\xff"})
    EXPECT_EQ(prompt(text), "error: invalid_argument") << text;
  EXPECT_EQ(prompt("{\"input\": " + std::string(100'000, '[')), "error: invalid_argument");
  EXPECT_EQ(prompt("{\"input\": " + std::string(900, '[') + "\"x\"" + std::string(900, ']') + "}"), "=x");
}

}  // namespace
}  // namespace sosie::text
