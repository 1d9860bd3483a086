#include "gateway/chat_answer.h"

#include <gtest/gtest.h>

#include "gateway/chat_assembler.h"
#include "net/sse.h"

namespace sosie::gateway {
namespace {

std::string kept(std::string_view completion, std::int64_t count = 1) {
  JsonReader reader;
  auto result = keep_completion(reader, completion, count);
  EXPECT_TRUE(std::holds_alternative<std::string>(result)) << completion;
  return std::get<std::string>(std::move(result));
}

NotKept fault(std::string_view completion, std::int64_t count = 1) {
  JsonReader reader;
  const auto result = keep_completion(reader, completion, count);
  return std::holds_alternative<NotKept>(result) ? std::get<NotKept>(result) : "kept";
}

/// What a stream's reader makes of it.
std::variant<std::string, NotKept> assemble(std::string_view stream, std::int64_t count = 1) {
  JsonReader reader;
  ChatAssembler assembler;
  net::SseParser events(1 << 20);
  EXPECT_TRUE(events.feed(stream));
  while (const auto event = events.next()) assembler.add(reader, event->data);
  return assembler.finish(reader, count);
}

std::string without_head(std::string_view completion) {
  const auto replay = replay_plain(completion, 0);
  EXPECT_TRUE(replay);
  return std::string(replay->tail);
}

const std::string kTwoChoices =
    R"({"object":"chat.completion","id":"i","created":5,"model":"m","system_fingerprint":"fp","choices":[)"
    R"({"index":0,"message":{"role":"assistant","content":"One two three four five six seven eight nine ten eleven, twelve; thirteen \n ä文👩‍👧","reasoning_content":"think first"},"finish_reason":"stop"},)"
    R"({"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"}],)"
    R"("usage":{"total_tokens":3}})";

TEST(KeptAnswer, HasNewIdentityAndOldContent) {
  const std::string stored = kept(kTwoChoices, 2);
  const auto replay = replay_plain(stored, 1234);
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->head.starts_with(R"({"id":"chatcmpl-)"));
  EXPECT_TRUE(replay->head.ends_with(R"("created":1234)"));
  EXPECT_EQ(without_head(kept(replay->head + std::string(replay->tail), 2)), without_head(stored));
  EXPECT_NE(replay_plain(stored, 1234)->head, replay->head);
}

TEST(KeptAnswer, StreamsAndComesBackTheSame) {
  const std::string stored = kept(kTwoChoices, 2);
  JsonReader reader;
  const auto stream = replay_stream(reader, stored, 77, true);
  ASSERT_TRUE(stream);
  const auto again = assemble(*stream, 2);
  ASSERT_TRUE(std::holds_alternative<std::string>(again)) << std::get<NotKept>(again);
  // Members may change places; meaning may not.
  const auto canonical = [](std::string text) {
    JsonReader json;
    std::string out;
    append_canonical_json(out, *json.read_copy("{" + text.substr(1)));
    return out;
  };
  EXPECT_EQ(canonical(without_head(std::get<std::string>(again))), canonical(without_head(stored)));
  EXPECT_TRUE(stream->ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(replay_stream(reader, stored, 77, false)->find("usage"), std::string::npos);
}

TEST(KeptAnswer, IsNeverHalf) {
  const auto with_choice = [](const std::string& choice) { return R"({"object":"chat.completion","choices":[)" + choice + "]}"; };
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"stop"})")), "kept");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"length"})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"content_filter"})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":null})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"role":"assistant","content":""},"finish_reason":"stop"})")), "empty_answer");
  EXPECT_EQ(fault(with_choice(R"({"finish_reason":"stop"})")), "no_message");
  EXPECT_EQ(fault(with_choice("")), "no_choices");
  EXPECT_EQ(fault(R"({"object":"error"})"), "not_a_completion");
  EXPECT_EQ(fault(R"({"object":"chat.completion","choices":[{"mess)"), "not_json");
  EXPECT_FALSE(replay_plain("not in the form", 0));
  EXPECT_FALSE(replay_plain(R"({"id":")", 0));
}

std::string chunks(std::initializer_list<std::string_view> choices, bool done = true) {
  std::string stream;
  for (const auto choice : choices) stream += R"(data: {"id":"c","created":1,"model":"m","choices":[)" + std::string(choice) + "]}\n\n";
  return done ? stream + "data: [DONE]\n\n" : stream;
}

NotKept stream_fault(std::string_view stream, std::int64_t count = 1) {
  const auto result = assemble(stream, count);
  return std::holds_alternative<NotKept>(result) ? std::get<NotKept>(result) : "kept";
}

TEST(ChatAssembler, KeepsOnlyWhatIsComplete) {
  constexpr std::string_view kText = R"({"index":0,"delta":{"content":"x"}})";
  constexpr std::string_view kEnd = R"({"index":0,"delta":{},"finish_reason":"stop"})";
  EXPECT_EQ(stream_fault(chunks({kText, kEnd})), "kept");
  EXPECT_EQ(stream_fault(chunks({kText, kEnd}, false)), "incomplete");
  EXPECT_EQ(stream_fault(chunks({kText})), "finish_reason");
  EXPECT_EQ(stream_fault(chunks({kText, R"({"index":1,"delta":{"content":"y"}})", kEnd}), 2), "finish_reason");
  EXPECT_EQ(stream_fault(chunks({kEnd})), "empty_answer");
  EXPECT_EQ(stream_fault("data: {\n\n" + chunks({kText, kEnd})), "not_json");
  EXPECT_EQ(stream_fault("data: {\"error\":{}}\n\n" + chunks({kText, kEnd})), "error_inside");
  EXPECT_EQ(stream_fault(chunks({kText, kEnd}) + chunks({kText})), "after_done");
  EXPECT_EQ(stream_fault(chunks({R"({"index":0,"delta":{"audio":{"data":"a"}}})", R"({"index":0,"delta":{"audio":{"data":"b"}}})", kEnd})), "unknown_delta");
  EXPECT_EQ(stream_fault(chunks({R"({"index":0,"delta":{"tool_calls":"x"}})", kEnd})), "tool_calls");
  EXPECT_EQ(stream_fault(""), "incomplete");
}

TEST(KeptAnswer, HasAsManyChoicesAsWereAskedFor) {
  EXPECT_EQ(fault(kTwoChoices, 2), "kept");
  for (const std::int64_t count : {-1, 0, 1, 3}) EXPECT_EQ(fault(kTwoChoices, count), "choice_count");
  std::string twice = kTwoChoices;
  twice.replace(twice.find(R"("index":1)"), 9, R"("index":0)");
  EXPECT_EQ(fault(twice, 2), "choice_count");
  EXPECT_EQ(stream_fault(chunks({R"({"index":0,"delta":{"content":"x"},"finish_reason":"stop"})"}), 2), "choice_count");
  EXPECT_EQ(stream_fault(chunks({R"({"index":1,"delta":{"content":"x"},"finish_reason":"stop"})"}), 1), "choice_count");
}

TEST(ChatAssembler, KeepsWhatItDoesNotKnowOrNothing) {
  const auto stream = [](std::string_view top, std::string_view choice, std::string_view more = {}) {
    return R"(data: {"id":"c","obfuscation":"xyz","citations":["old"],"choices":[{"index":0,"delta":{"content":"x"})" +
           std::string(more) + "}]}\n\n" + R"(data: {"id":"c","obfuscation":"x",)" + std::string(top) +
           R"("choices":[{"index":0,"delta":{},"finish_reason":"stop")" + std::string(choice) + "}]}\n\ndata: [DONE]\n\n";
  };
  const auto result = assemble(stream(R"("citations":["new"],)", R"(,"matched":7)", R"(,"matched":7)"));
  ASSERT_TRUE(std::holds_alternative<std::string>(result));
  EXPECT_EQ(without_head(std::get<std::string>(result)),
            R"(,"citations":["new"],"choices":[{"index":0,"message":{"role":"assistant","content":"x"},)"
            R"("finish_reason":"stop","matched":7}]})");
  JsonReader reader;
  const auto again = assemble(*replay_stream(reader, std::get<std::string>(result), 0, true));
  ASSERT_TRUE(std::holds_alternative<std::string>(again));
  EXPECT_EQ(without_head(std::get<std::string>(again)), without_head(std::get<std::string>(result)));
  EXPECT_EQ(stream_fault(stream("", R"(,"matched":7)", R"(,"matched":8)")), "unknown_choice_field");
}

TEST(ChatAssembler, KnowsWhenEveryChoiceHasEnded) {
  const auto ended = [](std::string_view stream, std::int64_t count) {
    JsonReader reader;
    ChatAssembler assembler;
    net::SseParser events(1 << 20);
    EXPECT_TRUE(events.feed(stream));
    while (const auto event = events.next()) assembler.add(reader, event->data);
    return assembler.every_choice_ended(count);
  };
  constexpr std::string_view kEnd = R"({"index":0,"delta":{},"finish_reason":"length"})";
  EXPECT_TRUE(ended(chunks({kEnd}, false), 1));
  EXPECT_FALSE(ended(chunks({kEnd}, false), 2));
  EXPECT_FALSE(ended(chunks({kEnd, R"({"index":1,"delta":{"content":"y"}})"}, false), 1));
  EXPECT_FALSE(ended(chunks({R"({"index":0,"delta":{}})"}, false), 1));
  EXPECT_FALSE(ended("", 1));
  EXPECT_FALSE(ended(chunks({kEnd}, false) + "data: {\n\n", 1));
}

TEST(ChatAssembler, JoinsPieces) {
  const auto result = assemble(chunks({
      R"({"index":0,"delta":{"role":"assistant","content":"a "},"logprobs":{"content":[{"token":"a"}],"refusal":null}})",
      R"({"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}],"refusal":null}})",
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{"}}]}})",
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"}"}}]}})",
      R"({"index":0,"delta":{},"finish_reason":"tool_calls"})",
  }));
  ASSERT_TRUE(std::holds_alternative<std::string>(result));
  EXPECT_EQ(without_head(std::get<std::string>(result)),
            R"(,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a b","tool_calls":[{"id":"t","type":"function",)"
            R"("function":{"name":"f","arguments":"{}"}}]},"logprobs":{"content":[{"token":"a"},{"token":"b"}],"refusal":null},"finish_reason":"tool_calls"}]})");
}

}  // namespace
}  // namespace sosie::gateway
