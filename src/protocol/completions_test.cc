#include "protocol/completions.h"

#include <gtest/gtest.h>

#include <set>

#include "protocol/chat.h"
#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

const Protocol& kApi = completions_protocol();

Reading ask(std::string_view members, std::string_view prompt = R"("Once upon")") {
  return read_good(kApi, R"({"model":"m","prompt":)" + std::string(prompt) + (members.empty() ? "" : ",") + std::string(members) + "}");
}

TEST(CompletionsScope, DefaultsAddNothingAndParametersSeparate) {
  const std::string plain = ask("").digest();
  for (const char* same : {R"("temperature":1.0)", R"("n":1)", R"("best_of":1)", R"("echo":false)", R"("suffix":"")", R"("logprobs":null)",
                           R"("stop":[])", R"("logit_bias":{})", R"("stream":true)", R"("presence_penalty":0)"})
    EXPECT_EQ(ask(same).digest(), plain) << same;
  std::set<std::string> scopes{plain};
  for (const char* other : {R"("temperature":0)", R"("n":2)", R"("best_of":2)", R"("echo":true)", R"("suffix":"s")", R"("logprobs":0)",
                            R"("logprobs":2)", R"("stop":"x")", R"("seed":1)", R"("max_tokens":5)", R"("user":"u")", R"("x":1)"})
    EXPECT_TRUE(scopes.insert(ask(other).digest()).second) << other;
  const Reading chat = read_good(chat_protocol(), R"({"model":"m","messages":[{"role":"user","content":"Once upon"}]})");
  EXPECT_TRUE(scopes.insert(chat.digest()).second);
}

TEST(CompletionsQuestion, HasAPromptOfEveryForm) {
  const auto question = [](std::string_view prompt) { return ask("", prompt).question; };
  EXPECT_EQ(question(R"("a")").prompt, "a");
  EXPECT_EQ(question(R"(["a"])").prompt, "a");
  EXPECT_TRUE(question(R"("a")").traits.completion);
  EXPECT_FALSE(question(R"(["a"])").traits.no_text);
  EXPECT_EQ(question(R"(["a", "b"])").prompt, R"(["a","b"])");
  EXPECT_EQ(question("[1, 2.0]").prompt, "[1,2]");
  for (const char* none : {R"(["a","b"])", "[1,2]", "[[1,2]]", "[[1],[2]]", "[]", R"("")", R"(" ")"}) EXPECT_TRUE(question(none).traits.no_text) << none;
  EXPECT_EQ(question(R"(["a","b"])").traits.choices, 2);
  EXPECT_EQ(question("[[1],[2],[3]]").traits.choices, 3);
  EXPECT_EQ(question("[1,2,3]").traits.choices, 1);
  EXPECT_EQ(ask(R"("n":2)", R"(["a","b"])").question.traits.choices, 4);
  EXPECT_TRUE(read_good(kApi, R"({"model":"m"})").question.traits.no_text);
  EXPECT_EQ(read_any(kApi, R"({"model":"m","prompt":1})").bad.value_or(BadRequest()).param, "prompt");
  EXPECT_EQ(read_any(kApi, R"({"prompt":"x"})").bad.value_or(BadRequest()).param, "model");
}

const std::string kPlain =
    R"({"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[)"
    R"({"text":" a time, there was a very long story about it, and it went on","index":0,"logprobs":{"tokens":["a"],"token_logprobs":[-0.5],"text_offset":[0]},"finish_reason":"stop"},)"
    R"({"text":"b","index":1,"finish_reason":"stop"}],"usage":{"total_tokens":3}})";

TEST(CompletionsAnswer, IsKeptAndSaidAgain) {
  const std::string kept = kept_of(keep(kApi, kPlain, 2));
  EXPECT_TRUE(kApi.owns(kept));
  EXPECT_FALSE(chat_protocol().owns(kept));
  const auto replay = kApi.replay(kept, {.created = 9});
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->head.starts_with(R"({"id":"cmpl-)") && replay->head.ends_with(R"("object":"text_completion","created":9)"));
  JsonReader reader;
  const auto stream = kApi.replay_stream(reader, kept, {.created = 5, .include_usage = true});
  ASSERT_TRUE(stream);
  const std::string again = kept_of(assemble(kApi, *stream, 2));
  EXPECT_EQ(canonical("{" + std::string(kApi.replay(again, {})->tail.substr(1))), canonical("{" + std::string(replay->tail.substr(1))));
  EXPECT_FALSE(kApi.to_answer(reader, kept));
}

TEST(CompletionsAnswer, IsMadeOfAStream) {
  const std::string streamed = kept_of(assemble(
      kApi,
      R"(data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":"a ","index":0,"logprobs":null,"finish_reason":null}]})" "\n\n"
      R"(data: {"id":"cmpl-1","object":"text_completion","created":5,"model":"m","choices":[{"text":"b","index":0,"logprobs":null,"finish_reason":"stop"}]})" "\n\n"
      "data: [DONE]\n\n"));
  EXPECT_EQ(streamed, R"({"id":"cmpl-1","object":"text_completion","created":5,"usage":null,"model":"m","choices":[{"index":0,"text":"a b","finish_reason":"stop"}]})");
  Question plain;
  EXPECT_EQ(kApi.misfit(streamed, plain), Reason::no_usage);
}

TEST(CompletionsAnswer, IsNeverHalf) {
  const auto fault = [](std::string_view choice, std::int64_t count = 1) {
    return fault_of(keep(kApi, R"({"object":"text_completion","choices":[)" + std::string(choice) + "]}", count));
  };
  EXPECT_EQ(fault(R"({"text":"x","finish_reason":"stop"})"), "kept");
  EXPECT_EQ(fault(R"({"text":"x","finish_reason":"length"})"), "finish_reason");
  EXPECT_EQ(fault(R"({"text":"","finish_reason":"stop"})"), "empty_answer");
  EXPECT_EQ(fault(R"({"text":"\n\n","finish_reason":"stop"})"), "empty_answer");
  EXPECT_EQ(fault(R"({"finish_reason":"stop"})"), "no_message");
  EXPECT_EQ(fault(R"({"text":"x","finish_reason":"stop"})", 2), "choice_count");
  EXPECT_EQ(fault_of(keep(kApi, R"({"object":"chat.completion","choices":[{"text":"x","finish_reason":"stop"}]})")), "not_a_completion");
}

}  // namespace
}  // namespace sosie::protocol
