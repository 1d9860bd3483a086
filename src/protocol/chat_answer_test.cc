#include <gtest/gtest.h>

#include "protocol/chat.h"
#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

const Protocol& kApi = chat_protocol();

std::string_view fault(std::string_view completion, std::int64_t count = 1) { return fault_of(keep(kApi, completion, count)); }

std::string without_head(std::string_view kept) {
  const auto replay = kApi.replay(kept, {});
  EXPECT_TRUE(replay);
  return replay ? std::string(replay->tail) : std::string();
}

const std::string kTwoChoices =
    R"({"object":"chat.completion","id":"i","created":5,"model":"m","system_fingerprint":"fp","choices":[)"
    R"({"index":0,"message":{"role":"assistant","content":"One two three four five six seven eight nine ten eleven, twelve; thirteen \n ä文👩‍👧","reasoning_content":"think first"},"finish_reason":"stop"},)"
    R"({"index":1,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}},{"id":"b","type":"function","function":{"name":"g","arguments":""}}]},"finish_reason":"tool_calls"}],)"
    R"("usage":{"total_tokens":3}})";

TEST(ChatAnswer, HasNewIdentityAndOldContent) {
  const std::string stored = kept_of(keep(kApi, kTwoChoices, 2));
  EXPECT_TRUE(kApi.owns(stored));
  const auto replay = kApi.replay(stored, {.created = 1234});
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->head.starts_with(R"({"id":"chatcmpl-)"));
  EXPECT_TRUE(replay->head.ends_with(R"("created":1234)"));
  EXPECT_EQ(without_head(kept_of(keep(kApi, replay->head + std::string(replay->tail), 2))), without_head(stored));
  EXPECT_NE(kApi.replay(stored, {.created = 1234})->head, replay->head);
}

TEST(ChatAnswer, StreamsAndComesBackTheSame) {
  const std::string stored = kept_of(keep(kApi, kTwoChoices, 2));
  JsonReader reader;
  const auto stream = kApi.replay_stream(reader, stored, {.created = 77, .include_usage = true});
  ASSERT_TRUE(stream);
  const std::string again = kept_of(assemble(kApi, *stream, 2));
  // Members may change places; meaning may not.
  EXPECT_EQ(canonical("{" + without_head(again).substr(1)), canonical("{" + without_head(stored).substr(1)));
  EXPECT_TRUE(stream->ends_with("data: [DONE]\n\n"));
  EXPECT_EQ(kApi.replay_stream(reader, stored, {.created = 77})->find("usage"), std::string::npos);
}

TEST(ChatAnswer, NamesTheToolsItCalls) {
  const auto tools = [](std::string_view message, std::string_view finish = "tool_calls") {
    const auto result = keep(kApi, R"({"object":"chat.completion","choices":[{"message":)" + std::string(message) +
                                       R"(,"finish_reason":")" + std::string(finish) + R"("}]})");
    return std::holds_alternative<Kept>(result) ? std::get<Kept>(result).tools : std::vector<std::string>{"not kept"};
  };
  using Names = std::vector<std::string>;
  EXPECT_EQ(tools(R"({"content":"x"})", "stop"), Names());
  EXPECT_EQ(tools(R"({"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"2","type":"custom","custom":{"name":"g","input":""}}]})"),
            (Names{"f", "g"}));
  EXPECT_EQ(tools(R"({"function_call":{"name":"h","arguments":"{}"}})", "function_call"), Names{"h"});
  EXPECT_EQ(tools(R"({"tool_calls":[{"id":"1","type":"new"}]})"), Names{"not kept"});
  EXPECT_EQ(tools(R"({"tool_calls":[{"id":"1","type":"function","function":{"name":"","arguments":"{}"}}]})"), Names{"not kept"});
}

TEST(ChatAnswer, IsNeverHalf) {
  const auto with_choice = [](const std::string& choice) { return R"({"object":"chat.completion","choices":[)" + choice + "]}"; };
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"stop"})")), "kept");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"length"})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":"content_filter"})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"content":"x"},"finish_reason":null})")), "finish_reason");
  EXPECT_EQ(fault(with_choice(R"({"message":{"role":"assistant","content":""},"finish_reason":"stop"})")), "empty_answer");
  EXPECT_EQ(fault(with_choice(R"({"message":{"role":"assistant","content":" \n\t"},"finish_reason":"stop"})")), "empty_answer");
  EXPECT_EQ(fault(with_choice(R"({"message":{"role":"assistant","content":"","reasoning_content":"Hm."},"finish_reason":"stop"})")), "empty_answer");
  EXPECT_EQ(fault(with_choice(R"({"finish_reason":"stop"})")), "no_message");
  EXPECT_EQ(fault(with_choice("")), "no_choices");
  EXPECT_EQ(fault(R"({"object":"error"})"), "not_a_completion");
  EXPECT_EQ(fault(R"({"object":"chat.completion","choices":[{"mess)"), "not_json");
  EXPECT_FALSE(kApi.replay("not in the form", {}));
  EXPECT_FALSE(kApi.replay(R"({"id":")", {}));
}

TEST(ChatAnswer, HasAsManyChoicesAsWereAskedFor) {
  EXPECT_EQ(fault(kTwoChoices, 2), "kept");
  for (const std::int64_t count : {-1, 0, 1, 3}) EXPECT_EQ(fault(kTwoChoices, count), "choice_count");
  std::string twice = kTwoChoices;
  twice.replace(twice.find(R"("index":1)"), 9, R"("index":0)");
  EXPECT_EQ(fault(twice, 2), "choice_count");
}

TEST(ChatAnswer, RepeatsNoKey) {
  const auto answer = [](std::string_view choice) { return R"({"object":"chat.completion","choices":[{)" + std::string(choice) + "}]}"; };
  const auto calls = [&](std::string_view call) {
    return answer(R"("message":{"tool_calls":[{"id":"1","type":"function",)" + std::string(call) + R"(}]},"finish_reason":"tool_calls")");
  };
  ASSERT_EQ(fault(calls(R"("function":{"name":"f","arguments":"{}"})")), "kept");
  EXPECT_EQ(fault(answer(R"("message":{"content":"x","content":"y"},"finish_reason":"stop")")), "repeated_key");
  EXPECT_EQ(fault(answer(R"("message":{"content":"x"},"message":{"content":"y"},"finish_reason":"stop")")), "repeated_key");
  EXPECT_EQ(fault(calls(R"("function":{"name":"f","name":"g","arguments":"{}"})")), "repeated_key");
  EXPECT_EQ(fault(calls(R"("function":{"name":"f","arguments":"{}"},"function":{"name":"g","arguments":"{}"})")), "repeated_key");
}

TEST(ChatAnswer, HasOneDeltaInAChunk) {
  JsonReader reader;
  const std::string kept = kept_of(keep(kApi, R"({"object":"chat.completion","choices":[{"message":{"content":"x"},"delta":null,"odd":1,"finish_reason":"stop"}]})"));
  const auto stream = kApi.replay_stream(reader, kept, {});
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->find(R"("delta":null)"), std::string::npos) << *stream;
  EXPECT_NE(stream->find(R"("odd":1)"), std::string::npos) << *stream;
}

TEST(ChatAnswer, IsMovedOnlyWhole) {
  JsonReader reader;
  const auto answer = [&](std::string_view message, std::string_view more = {}, std::string_view finish = "stop") {
    const auto kept = keep(kApi, R"({"id":"i","object":"chat.completion","model":"m")" + std::string(more) +
                                     R"(,"choices":[{"index":0,"logprobs":null,"message":)" + std::string(message) +
                                     R"(,"finish_reason":")" + std::string(finish) + R"("}]})");
    return kApi.to_answer(reader, kept_of(kept));
  };
  const auto said = answer(R"({"role":"assistant","content":"x","refusal":null,"annotations":[],"reasoning_content":"why"})",
                           R"(,"system_fingerprint":"fp","usage":{"prompt_tokens":5,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2},"completion_tokens_details":{"reasoning_tokens":1}})");
  ASSERT_TRUE(said);
  EXPECT_EQ(said->id, "i");
  EXPECT_EQ(said->text, "x");
  EXPECT_EQ(said->reasoning, "why");
  ASSERT_TRUE(said->usage);
  EXPECT_EQ(said->usage->cached_input_tokens, 2);
  EXPECT_EQ(said->usage->reasoning_tokens, 1);
  for (const char* special : {R"({"content":"x","annotations":[{"type":"url_citation"}]})", R"({"content":"x","audio":{"id":"a"}})",
                              R"({"content":"x","images":[1]})", R"({"tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":""}}]})",
                              R"({"content":"x","never_heard_of":1})"})
    EXPECT_FALSE(answer(special)) << special;
  EXPECT_FALSE(answer(R"({"content":"x"})", R"(,"citations":["a"])"));
  EXPECT_FALSE(answer(R"({"content":"x"})", "", "function_call"));
  EXPECT_FALSE(kApi.to_answer(reader, kept_of(keep(kApi, kTwoChoices, 2))));
  EXPECT_FALSE(kApi.to_answer(reader, "text"));
}

TEST(ChatAnswer, ComesFromOtherApis) {
  JsonReader reader;
  Answer answer;
  EXPECT_FALSE(kApi.from_answer(reader, answer, "{}"));
  answer.model = "m";
  answer.text = "a \"b\"";
  answer.reasoning = "why";
  answer.tool_calls.push_back({"1", "f", "{}"});
  answer.usage = Usage{5, 3, 2, 1};
  const auto kept = kApi.from_answer(reader, answer, "{}");
  ASSERT_TRUE(kept && kApi.owns(*kept));
  const auto again = keep(kApi, *kept);
  EXPECT_EQ(kept_of(again), *kept);
  EXPECT_EQ(std::get<Kept>(again).tools, std::vector<std::string>{"f"});
  const auto back = kApi.to_answer(reader, *kept);
  ASSERT_TRUE(back && back->usage && back->tool_calls.size() == 1);
  EXPECT_EQ(back->text, answer.text);
  EXPECT_EQ(back->reasoning, answer.reasoning);
  EXPECT_EQ(back->tool_calls[0].arguments, "{}");
  EXPECT_EQ(back->usage->input_tokens, 5);
  EXPECT_TRUE(kApi.replay_stream(reader, *kept, {.include_usage = true}));
}

TEST(ChatAnswer, SaysArgumentsAsTheApiDoes) {
  const auto answer = [](std::string_view function) {
    return keep(kApi, R"({"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":)" +
                          std::string(function) + R"(}]},"finish_reason":"tool_calls"}]})");
  };
  for (const char* function : {R"({"name":"f","arguments":{"city":"Oslo","days":[1,2]}})", R"({"name":"f","arguments":"{\"city\":\"Oslo\",\"days\":[1,2]}"})"}) {
    const std::string kept = kept_of(answer(function));
    EXPECT_NE(kept.find(R"("function":{"name":"f","arguments":"{\"city\":\"Oslo\",\"days\":[1,2]}"})"), std::string::npos) << kept;
    JsonReader reader;
    const auto stream = kApi.replay_stream(reader, kept, {});
    ASSERT_TRUE(stream);
    EXPECT_NE(stream->find(R"("arguments":"{\"city\":\"Oslo\",\"days\":[1,2]}")"), std::string::npos) << *stream;
    const auto moved = kApi.to_answer(reader, kept);
    ASSERT_TRUE(moved);
    EXPECT_EQ(moved->tool_calls.at(0).arguments, R"({"city":"Oslo","days":[1,2]})");
  }
  for (const char* none : {R"({"name":"f"})", R"({"name":"f","arguments":null})", R"({"name":"f","arguments":""})", R"({"name":"f","arguments":" "})"})
    EXPECT_NE(kept_of(answer(none)).find(R"("arguments":"{}")"), std::string::npos) << none;
  for (const char* odd : {R"({"name":"f","arguments":"{\"a\":1}{\"a\":2}"})", R"({"name":"f","arguments":"{"})", R"({"name":"f","arguments":[1]})", R"({"name":"f","arguments":7})"}) {
    const auto result = answer(odd);
    ASSERT_TRUE(std::holds_alternative<NotKept>(result)) << odd;
    EXPECT_EQ(to_string(std::get<NotKept>(result).reason), "tool_calls");
    EXPECT_EQ(std::get<NotKept>(result).field, "choices[0].message.tool_calls[0].function.arguments");
  }
}

TEST(ChatAnswer, NamesTheFieldThatKeepsItFromBeingKept) {
  const auto field = [](std::string_view body, std::int64_t count = 1) {
    const auto result = keep(kApi, body, count);
    return std::holds_alternative<NotKept>(result) ? std::get<NotKept>(result).field : "kept";
  };
  EXPECT_EQ(field("{"), kWholeAnswer);
  EXPECT_EQ(field(R"({"object":"error"})"), "object");
  EXPECT_EQ(field(R"({"object":"chat.completion","error":{"a":1},"choices":[]})"), "error");
  EXPECT_EQ(field(kTwoChoices, 3), "choices");
  EXPECT_EQ(field(R"({"object":"chat.completion","choices":[{"message":{"content":"x"},"finish_reason":"stop"},{"message":{"content":"x"},"finish_reason":"length"}]})", 2), "choices[1].finish_reason");
  EXPECT_EQ(field(R"({"object":"chat.completion","choices":[{"message":{"content":""},"finish_reason":"stop"}]})"), "choices[0].message");
  EXPECT_EQ(field(R"({"object":"chat.completion","choices":[{"message":{"tool_calls":[{"id":"1","type":"new"}]},"finish_reason":"stop"}]})"), "choices[0].message.tool_calls[0].custom.name");
}

TEST(ChatErrors, AreOpenAis) {
  EXPECT_EQ(kApi.error_body(429, "m", "p", "c"), R"({"error":{"message":"m","type":"rate_limit_error","param":"p","code":"c"}})");
  EXPECT_EQ(kApi.error_event(502, "m", ""), "data: {\"error\":{\"message\":\"m\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n");
}

}  // namespace
}  // namespace sosie::protocol
