#include "text/code_trace.h"

#include <gtest/gtest.h>

namespace sosie::text {
namespace {

TEST(CodeTrace, ProseLeavesNone) {
  for (const char* text : {"", " ", "How do I reset my password?", "What is the capital of FRANCE?", "GitHub, JavaScript and NASA (or ESA)",
                           "COVID-19 in 2020", "two\n\nparagraphs  with   blanks \n", "Tom's C++ and C#", "x = 1"}) {
    EXPECT_EQ(trace_code(text), "") << text;
  }
}

TEST(CodeTrace, KeepsTheCaseOfCodeAndData) {
  EXPECT_NE(trace_code("Decode base64: aGVsbG8="), trace_code("Decode base64: AgvSbG8="));
  EXPECT_NE(trace_code("what does print(Foo) print"), trace_code("what does print(foo) print"));
  EXPECT_NE(trace_code("set MAX_SIZE"), trace_code("set max_size"));
  EXPECT_EQ(trace_code("What does print(Foo) print?"), trace_code("what DOES print(Foo) print?"));
}

TEST(CodeTrace, KeepsIndentation) {
  const std::string_view inside = "if x:\n    a()\n    b()", outside = "if x:\n    a()\nb()";
  EXPECT_NE(trace_code(inside), trace_code(outside));
  EXPECT_NE(trace_code("if x:\n\ta()"), trace_code("if x:\n    a()"));
  EXPECT_EQ(trace_code("if x:\n    a()\n\n\n    b()  \n"), trace_code("if x:\r\n    a()\r\n    b()"));
  EXPECT_EQ(trace_code("one\n  \ntwo"), "");
}

TEST(CodeTrace, NotesCannotRunIntoEachOther) {
  EXPECT_NE(trace_code("aB1 c2:aB1"), trace_code("aB1 aB1"));
  EXPECT_NE(trace_code("aB1 cD2"), trace_code("aB1cD2"));
}

}  // namespace
}  // namespace sosie::text
