#include <gtest/gtest.h>

#include <string>

#include "text/python_value.h"

namespace sosie::text {
namespace {

std::string opened(std::string_view stored) {
  const auto read = read_envelope(stored);
  if (!read) return "error";
  if (!*read) return "miss";
  return ((*read)->timestamp ? std::to_string((*read)->timestamp.value()) + " " : "- ") + (*read)->response;
}

TEST(Envelope, OpensWhatPythonWritesAndWhatJsonWriters) {
  EXPECT_EQ(opened(R"({"timestamp": 1755000000.5, "response": "{\"a\":\"\u00e9\"}"})"),
            "1755000000.500000 {\"a\":\"é\"}");
  EXPECT_EQ(opened(R"({'timestamp': 1755000000.5, 'response': '{"a":"it\'s"}'})"),
            "1755000000.500000 {\"a\":\"it's\"}");
  EXPECT_EQ(opened(R"({'response': "x", "timestamp": 1, 'more': ()})"), "1.000000 x");
  EXPECT_EQ(
      opened(
          R"({'timestamp': 1.0, 'response': {'id': 'm', 'content': [{'text': "it's", 'stop': None}], 'n': (1, 2.5, 10000000000000000000000)}})"),
      R"(1.000000 {"id":"m","content":[{"text":"it's","stop":null}],"n":[1,2.5,10000000000000000000000]})");
  EXPECT_EQ(opened("{'timestamp': True, 'response': b'x'}"), "1.000000 x");
}

TEST(Envelope, OtherValuesAreGivenWhole) {
  EXPECT_EQ(opened(R"({"a": [1, null, true]})"), R"(- {"a":[1,null,true]})");
  EXPECT_EQ(opened("\"x\""), "- \"x\"");
  EXPECT_EQ(opened("{1: 'a', None: 'b', 2.5: 'c', True: 'd'}"), R"(- {"1":"d","null":"b","2.5":"c"})");
  EXPECT_EQ(opened("'\\ud83d'"), "- \"\\ud83d\"");
}

TEST(Envelope, MissesAndRefuses) {
  for (const char* miss : {"", "hello", "None", "null", "{'timestamp': 1.0", "{'timestamp': nan, 'response': ''}"})
    EXPECT_EQ(opened(miss), "miss") << miss;
  for (const char* bad :
       {"{'timestamp': 1.0}", "{'timestamp': '1', 'response': 'x'}", "{'timestamp': None, 'response': 'x'}",
        "{'timestamp': 1, 'response': [1]}", "{'timestamp': 1, 'response': None}",
        "{'timestamp': 1, 'response': {'a': 1j}}", "{'timestamp': 1, 'response': {(1,): 1}}", "b'x'", "[NaN]", "..."}) {
    EXPECT_EQ(opened(bad), "error") << bad;
  }
  EXPECT_EQ(opened("{'timestamp': 1" + std::string(400, '0') + ", 'response': 'x'}"), "error");
}

TEST(Envelope, IsAlwaysUtf8) {
  EXPECT_EQ(opened("{'timestamp': 1, 'response': 'a\\ud83db'}"), "1.000000 a\uFFFDb");
  EXPECT_EQ(opened("{'timestamp': 1, 'response': b'\\xff'}"), "1.000000 \uFFFD");
  EXPECT_EQ(opened("{'timestamp': 1, 'response': 'a\xff"
                   "b'}"),
            "1.000000 ab");
}

TEST(Envelope, IsWrittenAsJson) {
  EXPECT_EQ(write_envelope("a\"\\\n\x01é😀\x7f", 1755000000.5),
            "{\"timestamp\": 1755000000.5, \"response\": \"a\\\"\\\\\\n\\u0001é😀\x7f\"}");
  EXPECT_EQ(write_envelope("", 1), R"({"timestamp": 1.0, "response": ""})");
  EXPECT_EQ(write_envelope("\xff", 0.25), "{\"timestamp\": 0.25, \"response\": \"\uFFFD\"}");
  for (const std::string& text :
       {std::string("plain"), std::string("\0'\"\\\r\n\t\u2028", 10), std::string(5000, 'x')}) {
    const auto read = read_envelope(write_envelope(text, 1234567890.123456));
    ASSERT_TRUE(read && *read);
    EXPECT_EQ((*read)->response, text);
    EXPECT_EQ((*read)->timestamp, 1234567890.123456);
  }
}

}  // namespace
}  // namespace sosie::text
