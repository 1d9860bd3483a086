#include "text/turns.h"

#include <gtest/gtest.h>

namespace sosie::text {
namespace {

TEST(Turns, ASingleQuestionHasNoHistory) {
  EXPECT_FALSE(read_turns(R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]})").has_history);
  EXPECT_FALSE(read_turns(R"({"input":"Hi"})").has_history);
  EXPECT_TRUE(read_turns(R"({"input":"Hi"})").of_input);
  EXPECT_FALSE(read_turns(R"({"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"}]}]})").has_history);
  EXPECT_FALSE(read_turns(R"({})").has_history);
}

TEST(Turns, AFollowUpKnowsWhereItsHistoryEnds) {
  const Turns chat = read_turns(
      R"({"messages":[{"role":"user","content":"2+2?"},{"role":"assistant","content":"4"},{"role":"user","content":"and 3+3?"}]})");
  EXPECT_TRUE(chat.has_history);
  EXPECT_TRUE(chat.ends_with_user);
  EXPECT_EQ(chat.question_bytes, 8u);
  EXPECT_EQ(chat.behind_bytes, 0u);
  const Turns responses = read_turns(
      R"({"input":[{"role":"user","content":"2+2?"},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"4"}]},{"role":"user","content":"and?"}]})");
  EXPECT_TRUE(responses.has_history);
  EXPECT_EQ(responses.question_bytes, 4u);
}

TEST(Turns, InstructionsStandBeforeOrBehindTheQuestion) {
  const Turns before = read_turns(R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}]})");
  EXPECT_EQ(before.question_bytes, 2u);
  EXPECT_EQ(before.behind_bytes, 0u);
  const Turns behind = read_turns(R"({"messages":[{"role":"user","content":"Hi"},{"role":"developer","content":"In French."}]})");
  EXPECT_FALSE(behind.has_history);
  EXPECT_EQ(behind.question_bytes, 2u);
  EXPECT_EQ(behind.behind_bytes, 10u);
  const Turns items = read_turns(R"({"input":[{"role":"user","content":" Hi "},{"role":"developer","content":"In French."}]})");
  EXPECT_EQ(items.question_bytes, 2u);
  EXPECT_EQ(items.behind_bytes, 11u);
  EXPECT_EQ(read_turns(R"({"messages":[{"role":"user","content":"Hi"}]})").question_bytes, Turns::kWhole);
  EXPECT_EQ(read_turns(R"({"messages":[{"role":"system","content":"a"},{"role":"system","content":"b"}]})").question_bytes, Turns::kWhole);
  EXPECT_EQ(read_turns(R"({"input":["one","two"]})").question_bytes, 3u);
}

TEST(Turns, AnAgentsTurnEndsWithATool) {
  const Turns turns = read_turns(
      R"({"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"18C"}]})");
  EXPECT_TRUE(turns.has_history);
  EXPECT_FALSE(turns.ends_with_user);
  const Turns items = read_turns(R"({"input":[{"role":"user","content":"x"},{"type":"function_call_output","call_id":"1","output":"18C"}]})");
  EXPECT_TRUE(items.has_history);
  EXPECT_FALSE(items.ends_with_user);
}

TEST(Turns, AToolsResultInTheUsersNameIsAnAgentsTurn) {
  const Turns turns = read_turns(
      R"({"messages":[{"role":"user","content":"weather?"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"w","input":{}}]},)"
      R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"18C"}]}]})");
  EXPECT_TRUE(turns.has_history);
  EXPECT_FALSE(turns.ends_with_user);
}

TEST(Turns, NumbersThatOnlyPythonWritesAreReadToo) {
  const Turns turns = read_turns(R"({"input":[{"role":"user","content":"x","score":NaN}],"big":1e400})");
  EXPECT_TRUE(turns.of_input);
  EXPECT_FALSE(turns.has_history);
  const Turns longer = read_turns(R"({"input":[{"role":"user","content":"x"},{"role":"assistant","content":"y"},{"role":"user","content":"zz","score":NaN}]})");
  EXPECT_TRUE(longer.ends_with_user);
  EXPECT_EQ(longer.question_bytes, 2u);
}

TEST(Turns, WhatCannotBeReadIsTakenForAnAgentsTurn) {
  EXPECT_FALSE(read_turns(R"({"messages":[NaN]})").ends_with_user);
  EXPECT_FALSE(read_turns("[").ends_with_user);
}

}  // namespace
}  // namespace sosie::text
