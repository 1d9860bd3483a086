#include "protocol/completion_assembler.h"

#include <gtest/gtest.h>

#include "protocol/chat.h"
#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

const Protocol& kApi = chat_protocol();

std::string without_head(std::string_view kept) {
  const auto replay = kApi.replay(kept, {});
  EXPECT_TRUE(replay);
  return replay ? std::string(replay->tail) : std::string();
}

std::string chunks(std::initializer_list<std::string_view> choices, bool done = true) {
  std::string stream;
  for (const auto choice : choices) stream += R"(data: {"id":"c","created":1,"model":"m","choices":[)" + std::string(choice) + "]}\n\n";
  return done ? stream + "data: [DONE]\n\n" : stream;
}

std::string_view stream_fault(std::string_view stream, std::int64_t count = 1) { return fault_of(assemble(kApi, stream, count)); }

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
  EXPECT_EQ(stream_fault(chunks({kText, R"({"index":0,"delta":{"content":{"odd":1}}})", kEnd})), "repeated_key");  // Text and object cannot be joined.
  EXPECT_EQ(stream_fault(""), "incomplete");
}

TEST(ChatAssembler, WantsAsManyChoicesAsWereAskedFor) {
  EXPECT_EQ(stream_fault(chunks({R"({"index":0,"delta":{"content":"x"},"finish_reason":"stop"})"}), 2), "choice_count");
  EXPECT_EQ(stream_fault(chunks({R"({"index":1,"delta":{"content":"x"},"finish_reason":"stop"})"}), 1), "choice_count");
}

TEST(ChatAssembler, KeepsWhatItDoesNotKnowOrNothing) {
  const auto stream = [](std::string_view top, std::string_view choice, std::string_view more = {}) {
    return R"(data: {"id":"c","obfuscation":"xyz","citations":["old"],"choices":[{"index":0,"delta":{"content":"x"})" +
           std::string(more) + "}]}\n\n" + R"(data: {"id":"c","obfuscation":"x",)" + std::string(top) +
           R"("choices":[{"index":0,"delta":{},"finish_reason":"stop")" + std::string(choice) + "}]}\n\ndata: [DONE]\n\n";
  };
  const auto result = assemble(kApi, stream(R"("citations":["new"],)", R"(,"matched":7)", R"(,"matched":7)"));
  ASSERT_EQ(fault_of(result), "kept");
  EXPECT_EQ(without_head(kept_of(result)),
            R"(,"usage":null,"citations":["new"],"choices":[{"index":0,"message":{"role":"assistant","content":"x"},)"
            R"("finish_reason":"stop","matched":7}]})");
  JsonReader reader;
  const auto again = assemble(kApi, *kApi.replay_stream(reader, kept_of(result), {.created = 0, .include_usage = true}));
  ASSERT_EQ(fault_of(again), "kept");
  EXPECT_EQ(without_head(kept_of(again)), without_head(kept_of(result)));
  EXPECT_EQ(stream_fault(stream("", R"(,"matched":7)", R"(,"matched":8)")), "unknown_choice_field");
}

TEST(ChatAssembler, KnowsWhenEveryChoiceHasEnded) {
  const auto ended = [](std::string_view stream) {
    const auto assembler = kApi.assembler();
    feed(*assembler, stream);
    EXPECT_EQ(assembler->done(), stream.ends_with("[DONE]\n\n"));
    return assembler->ended();
  };
  constexpr std::string_view kEnd = R"({"index":0,"delta":{},"finish_reason":"length"})";
  EXPECT_TRUE(ended(chunks({kEnd}, false)));
  EXPECT_TRUE(ended(chunks({kEnd})));
  EXPECT_FALSE(ended(chunks({kEnd, R"({"index":1,"delta":{"content":"y"}})"}, false)));
  EXPECT_FALSE(ended(chunks({R"({"index":0,"delta":{}})"}, false)));
  EXPECT_FALSE(ended(""));
  EXPECT_FALSE(ended(chunks({kEnd}, false) + "data: {\n\n"));
}

TEST(ChatAssembler, JoinsPieces) {
  const auto result = assemble(kApi, chunks({
      R"({"index":0,"delta":{"role":"assistant","content":"a "},"logprobs":{"content":[{"token":"a"}],"refusal":null}})",
      R"({"index":0,"delta":{"content":"b"},"logprobs":{"content":[{"token":"b"}],"refusal":null}})",
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function","function":{"name":"f","arguments":"{"}}]}})",
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"f","arguments":"}"}}]}})",
      R"({"index":0,"delta":{},"finish_reason":"tool_calls"})",
  }));
  ASSERT_EQ(fault_of(result), "kept");
  EXPECT_EQ(without_head(kept_of(result)),
            R"(,"usage":null,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a b","tool_calls":[{"id":"t","type":"function",)"
            R"("function":{"name":"f","arguments":"{}"}}]},"logprobs":{"content":[{"token":"a"},{"token":"b"}],"refusal":null},"finish_reason":"tool_calls"}]})");
}

TEST(ChatAssembler, KeepsWhatAzureSaysOfItsFilters) {
  constexpr std::string_view kSafe = R"({"hate":{"filtered":false,"severity":"safe"}})", kLow = R"({"hate":{"filtered":false,"severity":"low"}})";
  const auto chunk = [](std::string_view filter, std::string_view delta, std::string_view finish = "null", std::string_view more = "") {
    return R"(data: {"choices":[{"content_filter_results":)" + std::string(filter) + R"(,"delta":)" + std::string(delta) + R"(,"finish_reason":)" +
           std::string(finish) + R"(,"index":0,"logprobs":null)" + std::string(more) +
           R"(}],"created":7,"id":"chatcmpl-a","model":"gpt","object":"chat.completion.chunk","system_fingerprint":"fp"})" "\n\n";
  };
  const std::string stream =
      R"(data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]})" "\n\n" +
      chunk("{}", R"({"content":"","refusal":null,"role":"assistant"})") + chunk(kSafe, R"({"content":"Hel"})") +
      chunk(kLow, R"({"content":"lo"})", "null", R"(,"content_filter_offsets":{"check_offset":44,"start_offset":44,"end_offset":198})") +
      chunk("{}", "{}", R"("stop")") + "data: [DONE]\n\n";
  const auto result = assemble(kApi, stream);
  ASSERT_EQ(fault_of(result), "kept");
  EXPECT_EQ(kept_of(result),
            R"({"id":"chatcmpl-a","object":"chat.completion","created":7,"usage":null,"model":"gpt","prompt_filter_results":[{"prompt_index":0}],)"
            R"("system_fingerprint":"fp","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop",)"
            R"("content_filter_results":{"hate":{"filtered":false,"severity":"low"}}}]})");
  JsonReader reader;
  EXPECT_TRUE(kApi.to_answer(reader, kept_of(result)));
}

TEST(ChatAssembler, KeepsCallsOfCustomToolsAndWhatComesWithACall) {
  const auto result = assemble(kApi, chunks({
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"custom","custom":{"name":"f","input":"x"}}]}})",
      R"({"index":0,"delta":{"tool_calls":[{"index":0,"custom":{"input":"y"}},{"index":1,"id":"b","extra_content":{"sign":"s"},"function":{"name":"g","arguments":"{}"}}]}})",
      R"({"index":0,"delta":{},"finish_reason":"tool_calls"})",
  }));
  ASSERT_EQ(fault_of(result), "kept");
  EXPECT_NE(kept_of(result).find(R"("tool_calls":[{"id":"a","type":"custom","custom":{"name":"f","input":"xy"}},)"
                                 R"({"id":"b","type":"function","function":{"name":"g","arguments":"{}"},"extra_content":{"sign":"s"}}])"),
            std::string::npos) << kept_of(result);
  EXPECT_EQ(std::get<Kept>(result).tools, (std::vector<std::string>{"f", "g"}));
  JsonReader reader;
  const auto stream = kApi.replay_stream(reader, kept_of(result), {});
  ASSERT_TRUE(stream);
  EXPECT_EQ(without_head(kept_of(assemble(kApi, *stream))), without_head(kept_of(result)));
}

TEST(ChatAssembler, MakesOfAStreamWhatThePlainAnswerIs) {
  const std::string plain = kept_of(keep(kApi, R"({"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"a b"},"finish_reason":"stop"}],"usage":{"total_tokens":3}})"));
  const auto chunk = [](std::string_view choices, std::string_view usage = "null") {
    return R"(data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[)" + std::string(choices) + R"(],"usage":)" + std::string(usage) + "}\n\n";
  };
  const std::string streamed = kept_of(assemble(
      kApi, chunk(R"({"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null})") +
                chunk(R"({"index":0,"delta":{"content":"a "},"finish_reason":null})") +
                chunk(R"({"index":0,"delta":{"content":"b"},"finish_reason":"stop"})") + chunk("", R"({"total_tokens":3})") + "data: [DONE]\n\n"));
  EXPECT_EQ(streamed, plain);
}

/// The message that a stream makes; the fault where it makes none.
std::string message_of(std::initializer_list<std::string_view> choices) {
  const auto result = assemble(kApi, chunks(choices));
  if (const auto* why = std::get_if<NotKept>(&result)) return std::string(to_string(why->reason)) + " " + why->field;
  JsonReader reader;
  std::string message;
  append_json(message, reader.read_copy(std::get<Kept>(result).answer)->at_pointer("/choices/0/message").value());
  return message;
}

constexpr std::string_view kStop = R"({"index":0,"delta":{},"finish_reason":"stop"})";
constexpr std::string_view kCalled = R"({"index":0,"delta":{},"finish_reason":"tool_calls"})";

TEST(ChatAssembler, TellsCallsOfOneIndexApartByTheirIds) {
  const std::string two =
      R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},)"
      R"({"id":"b","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Lima\"}"}}]})";
  constexpr std::string_view kOslo = R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}}]}})";
  EXPECT_EQ(message_of({kOslo, R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Lima\"}"}}]}})", kCalled}), two);
  // In pieces, which say to which call they belong or follow their call.
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"weather","arguments":""}}]}})",
                        R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"weather","arguments":"{\"city\":"}}]}})",
                        R"({"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\"Lima\"}"}}]}})",
                        R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"arguments":"{\"city\":\"Oslo\"}"}}]}})", kCalled}), two);
  // No index at all.
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"tool_calls":[{"id":"a","function":{"name":"weather","arguments":"{\"city\":\"Oslo\"}"}},{"id":"b","function":{"name":"weather","arguments":"{\"city\":"}}]}})",
                        R"({"index":0,"delta":{"tool_calls":[{"function":{"arguments":"\"Lima\"}"}}]}})", kCalled}), two);
  // An id made up anew for each piece begins no call without a name.
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x\""}}]}})",
                        R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"arguments":":1}"}}]}})", kCalled}),
            R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]})");
  const auto result = assemble(kApi, chunks({kOslo, R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"b","function":{"name":"g","arguments":"{}"}}]}})", kCalled}));
  EXPECT_EQ(std::get<Kept>(result).tools, (std::vector<std::string>{"weather", "g"}));
}

TEST(ChatAssembler, KeepsNoArgumentsThatAreNoJson) {
  const auto called = [](std::string_view arguments) {
    return message_of({R"({"index":0,"delta":{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":)" + std::string(arguments) + "}}]}}", kCalled});
  };
  const auto message = [](std::string_view arguments) {
    return R"({"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":")" + std::string(arguments) + R"("}}]})";
  };
  EXPECT_EQ(called(R"("{\"city\":\"Oslo\"}{\"city\":\"Lima\"}")"), "tool_calls choices[0].message.tool_calls[0].function.arguments");
  EXPECT_EQ(called(R"("{\"city\":\"Os")"), "tool_calls choices[0].message.tool_calls[0].function.arguments");
  EXPECT_EQ(called(R"("{\"city\":1}")"), message(R"({\"city\":1})"));
  EXPECT_EQ(called(R"({"city":1})"), message(R"({\"city\":1})"));  // Whole, where a text should be.
  EXPECT_EQ(called(R"("")"), message("{}"));
  EXPECT_EQ(called("null"), message("{}"));
}

TEST(ChatAssembler, EmptyValuesOverwriteNothing) {
  const std::string stream =
      R"(data: {"id":"c","created":7,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"role":"assistant","content":"x"},"finish_reason":""}]})" "\n\n"
      R"(data: {"id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})" "\n\n"
      R"(data: {"id":"","created":0,"model":"","object":"","system_fingerprint":"","choices":[{"index":0,"delta":{},"finish_reason":""}],"usage":{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}})" "\n\n"
      "data: [DONE]\n\n";
  EXPECT_EQ(kept_of(assemble(kApi, stream)),
            R"({"id":"c","object":"chat.completion","created":7,"model":"m","system_fingerprint":"fp","choices":[{"index":0,"message":)"
            R"({"role":"assistant","content":"x"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}})");
  const auto open = kApi.assembler();
  feed(*open, chunks({R"({"index":0,"delta":{"content":"x"},"finish_reason":""})"}, false));
  EXPECT_FALSE(open->ended());
}

TEST(ChatAssembler, JoinsDetailsOfAReasoning) {
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"content":"","reasoning":"Let me","reasoning_details":[{"type":"reasoning.text","text":"Let","format":"f","index":0}]}})",
                        R"({"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":" me","format":"f","index":0}]}})",
                        R"({"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","signature":"s","format":"f","index":0}]}})",
                        R"({"index":0,"delta":{"content":"4","reasoning_details":[{"type":"reasoning.encrypted","data":"d","id":"e","index":1}]}})", kStop}),
            R"({"role":"assistant","content":"4","reasoning":"Let me","reasoning_details":[{"type":"reasoning.text","text":"Let me","format":"f","signature":"s","index":0},)"
            R"({"type":"reasoning.encrypted","data":"d","id":"e","index":1}]})");
  // Without an index they follow one another.
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"content":"4","reasoning_details":[{"type":"reasoning.summary","summary":"a "}]}})",
                        R"({"index":0,"delta":{"reasoning_details":[{"type":"reasoning.summary","summary":"b"},{"type":"reasoning.text","text":"c"}]}})", kStop}),
            R"({"role":"assistant","content":"4","reasoning_details":[{"type":"reasoning.summary","summary":"a b"},{"type":"reasoning.text","text":"c"}]})");
}

TEST(ChatAssembler, JoinsListsOfContent) {
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"role":"assistant","content":""}})",
                        R"({"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}]}})",
                        R"({"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"."}],"closed":true}]}})",
                        R"({"index":0,"delta":{"content":"The an"}})", R"({"index":0,"delta":{"content":[{"type":"text","text":"swer"}]}})",
                        R"({"index":0,"delta":{"content":[{"type":"image_url","image_url":{"url":"u"}},{"type":"image_url","image_url":{"url":"v"}}]}})", kStop}),
            R"({"role":"assistant","content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm."}],"closed":true},{"type":"text","text":"The answer"},)"
            R"({"type":"image_url","image_url":{"url":"u"}},{"type":"image_url","image_url":{"url":"v"}}]})");
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"content":"a"}})", R"({"index":0,"delta":{"content":[{"type":"text","text":"b"}]}})", kStop}),
            R"({"role":"assistant","content":[{"type":"text","text":"ab"}]})");
  // Said again it is one list, not a null beside it.
  const auto kept = assemble(kApi, chunks({R"({"index":0,"delta":{"content":[{"type":"text","text":"b"}]}})", kStop}));
  JsonReader reader;
  const auto stream = kApi.replay_stream(reader, kept_of(kept), {});
  ASSERT_TRUE(stream);
  EXPECT_EQ(stream->find(R"("content":null)"), std::string::npos);
  EXPECT_EQ(without_head(kept_of(assemble(kApi, *stream))), without_head(kept_of(kept)));
}

TEST(ChatAssembler, JoinsCallsOfTheOlderKind) {
  constexpr std::string_view kEnd = R"({"index":0,"delta":{},"finish_reason":"function_call"})";
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}}})",
                        R"({"index":0,"delta":{"function_call":{"arguments":"{\"a\""}}})", R"({"index":0,"delta":{"function_call":{"arguments":":1}"}}})", kEnd}),
            R"({"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}})");
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"function_call":{"name":"f","arguments":"{"}}})", kEnd}),
            "tool_calls choices[0].message.function_call.arguments");
}

TEST(ChatAssembler, NamesTheFieldThatKeepsItFromBeingKept) {
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"audio":{"data":"a"}}})", R"({"index":0,"delta":{"audio":{"data":"b"}}})", kStop}), "unknown_delta choices.delta.audio");
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"content":"x"}})"}), "finish_reason choices[0].finish_reason");
  EXPECT_EQ(message_of({R"({"index":0,"delta":{"content":"x"},"news":1})", R"({"index":0,"delta":{},"news":2})"}), "unknown_choice_field choices.news");
  EXPECT_EQ(std::get<NotKept>(assemble(kApi, chunks({kStop}, false))).field, "[DONE]");
}

TEST(ChatAssembler, TellsWhatIsThereForTheUsage) {
  using ForUsage = Assembler::ForUsage;
  JsonReader reader;
  const auto assembler = kApi.assembler();
  const auto add = [&](std::string_view data) { return assembler->add(reader, "", data); };
  EXPECT_EQ(add(R"({"choices":[],"prompt_filter_results":[]})"), ForUsage::nothing);
  EXPECT_EQ(add(R"({"choices":[],"prompt_filter_results":[],"usage":null})"), ForUsage::member);
  EXPECT_EQ(add(R"({"choices":[{"index":0,"delta":{"content":"\"usage\":null"}}]})"), ForUsage::nothing);
  EXPECT_EQ(add(R"({"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null})"), ForUsage::member);
  EXPECT_EQ(add(R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop","usage":null}],"usage":{"total_tokens":3}})"), ForUsage::nothing);
  EXPECT_EQ(add(R"({"choices":[],"usage":{"total_tokens":3}})"), ForUsage::event);
  EXPECT_EQ(add("[DONE]"), ForUsage::nothing);
}

TEST(ChatAssembler, AStreamThatSaysNoUsageAnswersStreamsOnly) {
  Question plain, stream;
  stream.stream = true;
  const std::string silent = kept_of(assemble(kApi, chunks({R"({"index":0,"delta":{"content":"x"}})", kStop})));
  EXPECT_EQ(kApi.misfit(silent, plain), Reason::no_usage);
  EXPECT_EQ(kApi.misfit(silent, stream), Reason::none);
  // A whole answer is its upstream's own.
  EXPECT_EQ(kApi.misfit(kept_of(keep(kApi, R"({"object":"chat.completion","created":1,"usage":null,"choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})")), plain), Reason::none);
  JsonReader reader;
  for (const Surface surface : {Surface::responses, Surface::messages}) EXPECT_FALSE(kept_for(protocol_of(surface), reader, silent, "{}"));
}

TEST(ChatAssembler, GivesUpOnTooManyFields) {
  std::string delta = R"({"index":0,"delta":{"content":"x")";
  for (int i = 0; i < 300; ++i) delta += ",\"f" + std::to_string(i) + "\":1";
  EXPECT_EQ(message_of({delta + "}}", kStop}), "too_many_fields f256");
}

}  // namespace
}  // namespace sosie::protocol
