#include "text/answer_kind.h"

#include <gtest/gtest.h>

namespace sosie::text {
namespace {

TEST(AnswerKind, IsReadFromTheAnswersMembers) {
  EXPECT_EQ(kind_of_answer(R"({"id":"x","object":"chat.completion","choices":[]})"), AnswerKind::chat);
  EXPECT_EQ(kind_of_answer(R"({"id":"x","choices":[{"message":{}}]})"), AnswerKind::chat);
  EXPECT_EQ(kind_of_answer(R"({"id":"m","type":"message","role":"assistant","content":[]})"), AnswerKind::chat);
  EXPECT_EQ(kind_of_answer(R"({"id":"r","object":"response","output":[]})"), AnswerKind::responses);
  EXPECT_EQ(kind_of_answer(R"({"id":"r","output":[]})"), AnswerKind::responses);
  EXPECT_EQ(kind_of_answer(R"({"object":"list","data":[{"object":"embedding","embedding":[1]}]})"), AnswerKind::embedding);
  EXPECT_EQ(kind_of_answer(R"({"embedding":[0.5],"index":0,"object":"embedding"})"), AnswerKind::embedding);
  EXPECT_EQ(kind_of_answer(R"({"a":1})"), AnswerKind::other);
  EXPECT_EQ(kind_of_answer("Paris."), AnswerKind::other);
  EXPECT_EQ(kind_of_answer(""), AnswerKind::other);
  EXPECT_EQ(kind_of_answer("[1"), AnswerKind::other);
}

}  // namespace
}  // namespace sosie::text
