#include "text/code_trace.h"

#include <gtest/gtest.h>

namespace sosie::text {
namespace {

TEST(CodeTrace, ProseLeavesNone) {
  for (const char* text : {"", " ", "How do I reset my password?", "What is the capital of FRANCE?", "GitHub, JavaScript and NASA (or ESA)",
                           "COVID-19 in 2020", "two\n\nparagraphs  with   blanks \n", "Tom's C++ and C#", "x = 1"}) {
    EXPECT_EQ(trace_code(text, true), "") << text;
  }
}

TEST(CodeTrace, KeepsTheCaseOfCodeAndData) {
  EXPECT_NE(trace_code("Decode base64: aGVsbG8=", true), trace_code("Decode base64: AgvSbG8=", true));
  EXPECT_NE(trace_code("what does print(Foo) print", true), trace_code("what does print(foo) print", true));
  EXPECT_NE(trace_code("set MAX_SIZE", true), trace_code("set max_size", true));
  EXPECT_EQ(trace_code("What does print(Foo) print?", true), trace_code("what DOES print(Foo) print?", true));
}

TEST(CodeTrace, KeepsWhichOfTwoSpellingsStandsWhere) {
  EXPECT_NE(trace_code("rename my_Var to my_var", true), trace_code("rename my_var to my_Var", true));
  EXPECT_NE(trace_code("f(Foo), or f(foo) f(Foo)", true), trace_code("f(Foo), or f(Foo) f(foo)", true));
  EXPECT_EQ(trace_code("please rename my_Var to my_var", true), trace_code("rename my_Var  to my_var", true));
}

TEST(CodeTrace, KeepsIndentationWhereCaseIsNotLost) {
  EXPECT_EQ(trace_code("set MAX_SIZE", false), "");
  EXPECT_NE(trace_code("a\n  b", false), trace_code("a\nb", false));
}

TEST(CodeTrace, KeepsIndentation) {
  const std::string_view inside = "if x:\n    a()\n    b()", outside = "if x:\n    a()\nb()";
  EXPECT_NE(trace_code(inside, true), trace_code(outside, true));
  EXPECT_NE(trace_code("if x:\n\ta()", true), trace_code("if x:\n    a()", true));
  EXPECT_EQ(trace_code("if x:\n    a()\n\n\n    b()  \n", true), trace_code("if x:\r\n    a()\r\n    b()", true));
  EXPECT_EQ(trace_code("one\n  \ntwo", true), "");
}

TEST(CodeTrace, NotesCannotRunIntoEachOther) {
  EXPECT_NE(trace_code("aB1 c2:aB1", true), trace_code("aB1 aB1", true));
  EXPECT_NE(trace_code("aB1 cD2", true), trace_code("aB1cD2", true));
}

}  // namespace
}  // namespace sosie::text
