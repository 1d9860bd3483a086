#include "protocol/responses_request.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "protocol/chat.h"
#include "protocol/responses.h"

namespace sosie::protocol {
namespace {

struct Read {
  Question question;
  Scope scope;
  std::optional<BadRequest> bad;

  bool has(std::string_view part) const {
    for (const ScopePart& each : scope.parts())
      if (each.name == part) return true;
    return false;
  }
};

Read read(const std::string& body, std::string_view without = {}, const Protocol& api = responses_protocol()) {
  JsonReader reader;
  Read out;
  const auto root = reader.read_copy(body);
  simdjson::dom::object object;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) {
    ADD_FAILURE() << "not an object: " << body;
    return out;
  }
  out.bad = api.read(object, without, out.question, out.scope);
  return out;
}

std::string plain(std::string_view more = "") {
  return R"({"model":"gpt-5","input":"Hi there")" + std::string(more) + "}";
}
std::string with_input(std::string_view items) { return R"({"model":"gpt-5","input":[)" + std::string(items) + "]}"; }

std::string digest(const std::string& body) {
  const Read out = read(body);
  EXPECT_FALSE(out.bad) << out.bad->message << ": " << body;
  return base::to_hex(out.scope.digest());
}

void expect_same(const std::string& one, std::initializer_list<std::string> others) {
  for (const std::string& other : others) EXPECT_EQ(digest(one), digest(other)) << one << "\n" << other;
}
void expect_apart(const std::string& one, std::initializer_list<std::string> others) {
  for (const std::string& other : others) EXPECT_NE(digest(one), digest(other)) << one << "\n" << other;
}

/// The same question by both APIs.
void expect_same_as_chat(const std::string& by_responses, const std::string& by_chat) {
  const Read one = read(by_responses), other = read(by_chat, {}, chat_protocol());
  ASSERT_FALSE(one.bad) << one.bad->message << ": " << by_responses;
  ASSERT_FALSE(other.bad) << other.bad->message << ": " << by_chat;
  EXPECT_EQ(one.question.prompt, other.question.prompt);
  EXPECT_EQ(one.question.traits.open_turn, other.question.traits.open_turn);
  EXPECT_EQ(one.question.traits.functions, other.question.traits.functions);
  EXPECT_EQ(base::to_hex(one.scope.digest()), base::to_hex(other.scope.digest())) << by_responses << "\n" << by_chat;
}
std::string chat_with(std::string_view messages, std::string_view more = "") {
  return R"({"model":"gpt-5","messages":[)" + std::string(messages) + "]" + std::string(more) + "}";
}

constexpr std::string_view kUser = R"({"role":"user","content":"Hi there"})";

TEST(ResponsesRequest, ReadsTheQuestion) {
  const Read out = read(plain(R"(,"stream":true,"temperature":0.25)"));
  ASSERT_FALSE(out.bad);
  EXPECT_EQ(out.question.prompt, "Hi there");
  EXPECT_EQ(out.question.model, "gpt-5");
  EXPECT_TRUE(out.question.stream);
  EXPECT_EQ(out.question.traits.temperature, 0.25);
  EXPECT_TRUE(out.question.needs_own_api && out.question.may_come_back);  // Stored, unless it says otherwise.
  EXPECT_FALSE(out.question.traits.open_turn || out.question.traits.no_text || out.question.traits.hidden_state);
}

TEST(ResponsesRequest, OneQuestionHasManyForms) {
  expect_same(
      plain(),
      {with_input(kUser), with_input(R"({"type":"message","role":"user","content":"Hi there"})"),
       with_input(
           R"({"type":"message","role":"user","status":"completed","id":"m","content":[{"type":"input_text","text":"Hi there"}]})")});
  EXPECT_EQ(
      read(with_input(
               R"({"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_text","text":"there"}]})"))
          .question.prompt,
      "Hi\nthere");
}

TEST(ResponsesRequest, DefaultsSpelledOutAreTheirAbsence) {
  for (const std::string_view more : {R"("temperature":1)",
                                      R"("temperature":1.0)",
                                      R"("top_p":1)",
                                      R"("tool_choice":"auto")",
                                      R"("tools":[])",
                                      R"("parallel_tool_calls":true)",
                                      R"("truncation":"disabled")",
                                      R"("background":false)",
                                      R"("service_tier":"auto")",
                                      R"("text":{"format":{"type":"text"}})",
                                      R"("text":{"verbosity":"medium"})",
                                      R"("text":{})",
                                      R"("include":[])",
                                      R"("metadata":{})",
                                      R"("top_logprobs":0)",
                                      R"("reasoning":{})",
                                      R"("reasoning":{"effort":null})",
                                      R"("instructions":null)",
                                      R"("max_output_tokens":null)",
                                      R"("stream":true)",
                                      R"("stream":null)",
                                      R"("stream_options":{"include_obfuscation":false})",
                                      R"("store":false)",
                                      R"("store":true)",
                                      R"("prompt_cache_key":"k")",
                                      R"("prompt_cache_options":{"ttl":"30m"})"})
    expect_same(plain(), {plain("," + std::string(more))});
}

TEST(ResponsesRequest, WhatChangesTheAnswerSeparates) {
  for (const std::string_view more : {R"("temperature":0.5)",
                                      R"("top_p":0.5)",
                                      R"("tool_choice":"required")",
                                      R"("tool_choice":{"type":"function","name":"f"})",
                                      R"("tools":[{"type":"function","name":"f"}])",
                                      R"("tools":[{"type":"web_search"}])",
                                      R"("parallel_tool_calls":false)",
                                      R"("truncation":"auto")",
                                      R"("background":true)",
                                      R"("service_tier":"flex")",
                                      R"("text":{"format":{"type":"json_object"}})",
                                      R"("text":{"format":{"type":"json_schema","name":"n","schema":{}}})",
                                      R"("text":{"verbosity":"low"})",
                                      R"("include":["reasoning.encrypted_content"])",
                                      R"("metadata":{"a":"b"})",
                                      R"("top_logprobs":2)",
                                      R"("reasoning":{"effort":"high"})",
                                      R"("reasoning":{"summary":"auto"})",
                                      R"("instructions":"Be brief")",
                                      R"("max_output_tokens":100)",
                                      R"("max_tool_calls":1)",
                                      R"("previous_response_id":"resp_1")",
                                      R"("conversation":"conv_1")",
                                      R"("prompt":{"id":"p"})",
                                      R"("user":"u")",
                                      R"("unheard_of":1)",
                                      R"("prompt_cache_options":{"prewarm":true})"})
    expect_apart(plain(), {plain("," + std::string(more))});
}

TEST(ResponsesRequest, LeavesOutTheGatewaysOwnField) {
  const Read out = read(plain(R"(,"cache":{"ttl":5})"), "cache");
  EXPECT_EQ(base::to_hex(out.scope.digest()), digest(plain()));
  expect_apart(plain(), {plain(R"(,"cache":{"ttl":5})")});
}

TEST(ResponsesRequest, OrderAndSpellingOfParametersDoNotSeparate) {
  expect_same(plain(R"(,"top_p":0.5,"max_output_tokens":10)"), {plain(R"(,"max_output_tokens":10,"top_p":5e-1)")});
  expect_same(
      plain(R"(,"tools":[{"type":"function","name":"f","parameters":{"a":1,"b":2}}])"),
      {plain(
          R"(,"tools":[{"name":"f","strict":true,"parameters":{"b":2.0,"a":1},"type":"function","description":null}])")});
  expect_apart(plain(R"(,"tools":[{"type":"function","name":"f","parameters":{}}])"),
               {plain(R"(,"tools":[{"type":"function","name":"f","parameters":{},"strict":false}])"),
                plain(R"(,"tools":[{"type":"function","name":"f","parameters":{},"defer_loading":true}])")});
  expect_same(plain(R"(,"include":["file_search_call.results","code_interpreter_call.outputs"])"),
              {plain(R"(,"include":["code_interpreter_call.outputs","file_search_call.results"])")});
}

TEST(ResponsesRequest, InstructionsAreASystemsMessage) {
  expect_same(plain(R"(,"instructions":"Be brief")"),
              {with_input(R"({"role":"system","content":"Be brief"},)" + std::string(kUser)),
               with_input(R"({"role":"developer","content":[{"type":"input_text","text":"Be brief"}]},)" +
                          std::string(kUser))});
  expect_apart(plain(R"(,"instructions":"Be brief")"),
               {plain(R"(,"instructions":"Be long")"), plain(R"(,"instructions":["Be brief"])")});
}

TEST(ResponsesRequest, TheHistorySeparates) {
  const std::string talk = R"({"role":"user","content":"One"},{"role":"assistant","content":"Two"},)";
  expect_apart(plain(), {with_input(talk + std::string(kUser))});
  expect_same(
      with_input(talk + std::string(kUser)),
      {with_input(
          R"({"role":"user","content":[{"type":"input_text","text":"One"}]},)"
          R"({"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Two","annotations":[],"logprobs":[]}]},)" +
          std::string(kUser))});
  expect_apart(
      with_input(talk + std::string(kUser)),
      {with_input(R"({"role":"user","content":"One"},{"role":"assistant","content":"Three"},)" + std::string(kUser)),
       with_input(R"({"role":"user","content":"OneTwo"},)" + std::string(kUser)),
       with_input(R"({"role":"assistant","content":"One"},{"role":"user","content":"Two"},)" + std::string(kUser))});
  EXPECT_EQ(read(with_input(talk + std::string(kUser))).question.prompt, "Hi there");
  EXPECT_FALSE(read(with_input(talk + std::string(kUser))).question.traits.open_turn);
}

TEST(ResponsesRequest, NothingOddIsOverlooked) {
  const auto call = [](std::string_view arguments) {
    return with_input(std::string(kUser) + R"(,{"type":"function_call","call_id":"c","name":"f","arguments":)" +
                      std::string(arguments) + "}");
  };
  expect_apart(call(R"({"a":1})"), {call(R"({"a":2})"), call("\"\""), call(R"("{\"a\":1}")")});
  const auto result = [](std::string_view id) {
    return with_input(std::string(kUser) + R"(,{"type":"function_call_output","output":"7","call_id":)" +
                      std::string(id) + "}");
  };
  expect_apart(result("7"), {result("8"), result("\"7\"")});
  expect_apart(plain(R"(,"reasoning":{"summary":"auto"})"), {plain(R"(,"reasoning.summary":"auto")")});
  expect_apart(with_input(R"({"role":"assistant","content":"x","phase":"commentary"},)" + std::string(kUser)),
               {with_input(R"({"role":"assistant","content":"x"},)" + std::string(kUser))});
}

TEST(ResponsesRequest, OtherContentOfTheLastTurnSeparates) {
  const auto image = [](std::string_view url) {
    return with_input(
        R"({"role":"user","content":[{"type":"input_text","text":"Hi there"},{"type":"input_image","image_url":")" +
        std::string(url) + R"("}]})");
  };
  expect_apart(plain(), {image("data:a"), image("data:b")});
  expect_apart(image("data:a"), {image("data:b")});
  EXPECT_EQ(read(image("data:a")).question.prompt, "Hi there");
}

TEST(ResponsesRequest, WhatFollowsTheLastQuestionMakesAnOpenTurn) {
  const std::string call = R"(,{"type":"function_call","id":"fc_1","call_id":"call_1","name":"f","arguments":"{}"})";
  const std::string result = R"(,{"type":"function_call_output","call_id":"call_1","output":"7"})";
  const Read out = read(with_input(std::string(kUser) + call + result));
  ASSERT_FALSE(out.bad);
  EXPECT_EQ(out.question.prompt, "Hi there");
  EXPECT_TRUE(out.question.traits.open_turn);
  expect_apart(
      with_input(std::string(kUser) + call + result),
      {plain(), with_input(std::string(kUser) + call),
       with_input(std::string(kUser) + call + R"(,{"type":"function_call_output","call_id":"call_1","output":"8"})")});
  expect_same(
      with_input(std::string(kUser) + call + result),
      {with_input(
          std::string(kUser) +
          R"(,{"type":"function_call","call_id":"call_1","name":"f","arguments":"{ }","status":"completed"})" +
          R"(,{"type":"function_call_output","call_id":"call_1","id":"o","output":[{"type":"input_text","text":"7"}]})")});
}

TEST(ResponsesRequest, NoticesWhatLimitsReuse) {
  for (const std::string_view more :
       {R"(,"background":true)", R"(,"conversation":{"id":"c"})", R"(,"prompt":{"id":"p"})"})
    EXPECT_TRUE(read(plain(more)).question.traits.hidden_state) << more;
  EXPECT_TRUE(
      read(with_input(R"({"type":"item_reference","id":"i"},)" + std::string(kUser))).question.traits.hidden_state);
  EXPECT_TRUE(read(with_input(R"({"id":"i"},)" + std::string(kUser))).question.traits.hidden_state);
  for (const std::string_view type :
       {"web_search", "file_search", "mcp", "code_interpreter", "computer_use_preview", "image_generation"})
    EXPECT_TRUE(read(plain(R"(,"tools":[{"type":")" + std::string(type) + R"("}])")).question.traits.hosted_tools)
        << type;
  const Read tools = read(plain(R"(,"tools":[{"type":"function","name":"f"},{"type":"custom","name":"g"}])"));
  EXPECT_FALSE(tools.question.traits.hosted_tools);
  EXPECT_EQ(tools.question.traits.functions, (std::vector<std::string>{"f", "g"}));
  EXPECT_TRUE(read(plain(R"(,"include":["message.output_text.logprobs"])")).question.traits.logprobs);
  EXPECT_TRUE(read(plain(R"(,"top_logprobs":3)")).question.traits.logprobs);
  for (const std::string_view more :
       {R"(,"store":true)", R"(,"include":["reasoning.encrypted_content"])", R"(,"top_logprobs":3)"})
    EXPECT_TRUE(read(plain(more)).question.needs_own_api) << more;
  EXPECT_FALSE(read(plain(R"(,"store":false)")).question.needs_own_api);
  EXPECT_FALSE(read(plain(R"(,"store":false)")).question.may_come_back);
  EXPECT_TRUE(read(plain(R"(,"store":null)")).question.may_come_back);
  for (const std::string_view items : {"", R"({"role":"system","content":"x"})", R"({"role":"user","content":" "})",
                                       R"({"role":"user","content":[{"type":"input_image","image_url":"x"}]})"})
    EXPECT_TRUE(read(with_input(items)).question.traits.no_text) << items;
}

TEST(ResponsesRequest, TheSameQuestionByChatHasTheSameScope) {
  expect_same_as_chat(plain(), chat_with(kUser));
  expect_same_as_chat(plain(R"(,"instructions":"Be brief")"),
                      chat_with(R"({"role":"system","content":"Be brief"},)" + std::string(kUser)));
  expect_same_as_chat(
      plain(R"(,"instructions":"Be brief")"),
      chat_with(R"({"role":"developer","content":[{"type":"text","text":"Be brief"}]},)" + std::string(kUser)));
  expect_same_as_chat(
      plain(
          R"(,"temperature":0.5,"top_p":0.25,"max_output_tokens":50,"user":"u","parallel_tool_calls":false,"store":false)"),
      chat_with(
          kUser,
          R"(,"temperature":0.50,"top_p":0.25,"max_completion_tokens":50,"user":"u","parallel_tool_calls":false)"));
  expect_same_as_chat(plain(R"(,"reasoning":{"effort":"low"},"text":{"verbosity":"low"},"service_tier":"flex")"),
                      chat_with(kUser, R"(,"reasoning_effort":"low","verbosity":"low","service_tier":"flex")"));
  expect_same_as_chat(plain(R"(,"text":{"format":{"type":"json_object"}})"),
                      chat_with(kUser, R"(,"response_format":{"type":"json_object"})"));
  expect_same_as_chat(
      plain(
          R"(,"text":{"format":{"type":"json_schema","name":"n","description":"d","strict":true,"schema":{"type":"object"}}})"),
      chat_with(
          kUser,
          R"(,"response_format":{"type":"json_schema","json_schema":{"schema":{"type":"object"},"name":"n","strict":true,"description":"d"}})"));
  expect_same_as_chat(
      plain(
          R"(,"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false}],"tool_choice":"required")"),
      chat_with(
          kUser,
          R"(,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"required")"));
  expect_same_as_chat(
      plain(
          R"(,"tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":{"type":"function","name":"f"})"),
      chat_with(
          kUser,
          R"(,"tools":[{"type":"function","function":{"name":"f","parameters":{},"strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}})"));
}

TEST(ResponsesRequest, TheSameConversationByChatHasTheSameScope) {
  expect_same_as_chat(
      with_input(R"({"role":"user","content":"One"},{"role":"assistant","content":"Two"},)" + std::string(kUser)),
      chat_with(R"({"role":"user","content":"One"},{"role":"assistant","content":"Two"},)" + std::string(kUser)));
  const std::string calls =
      R"({"role":"user","content":"Weather?"},{"type":"message","id":"m","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Let me see.","annotations":[]}]},)"
      R"({"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{\"a\": 1}","status":"completed"},)"
      R"({"type":"function_call","id":"fc_2","call_id":"c2","name":"g","arguments":"{}","status":"completed"},)"
      R"({"type":"function_call_output","call_id":"c1","output":"sunny"},{"type":"function_call_output","call_id":"c2","output":"warm"})";
  const std::string chat_calls =
      R"({"role":"user","content":"Weather?"},{"role":"assistant","content":"Let me see.","tool_calls":[{"id":"x1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},)"
      R"({"id":"x2","type":"function","function":{"name":"g","arguments":"{}"}}]},)"
      R"({"role":"tool","tool_call_id":"x1","content":"sunny"},{"role":"tool","tool_call_id":"x2","content":"warm"})";
  expect_same_as_chat(with_input(calls), chat_with(chat_calls));
  expect_same_as_chat(with_input(calls + "," + std::string(kUser)), chat_with(chat_calls + "," + std::string(kUser)));
}

TEST(ResponsesRequest, RefusesWhatBreaksTheRules) {
  const auto refused = [](const std::string& body) {
    const Read out = read(body);
    return out.bad ? out.bad->param : "fine";
  };
  EXPECT_EQ(refused(R"({"input":"x"})"), "model");
  EXPECT_EQ(refused(R"({"model":7,"input":"x"})"), "model");
  EXPECT_EQ(refused(R"({"model":"m"})"), "input");
  EXPECT_EQ(refused(R"({"prompt":{"id":"p"}})"), "fine");
  EXPECT_EQ(refused(R"({"model":"m","previous_response_id":"r"})"), "fine");
  EXPECT_EQ(refused(R"({"model":"m","input":7})"), "input");
  EXPECT_EQ(refused(R"({"model":"m","model":"n","input":"x"})"), "");
  for (const std::string_view value : {"\"yes\"", "1", "[]", "{}"})
    EXPECT_EQ(refused(plain(R"(,"stream":)" + std::string(value))), "stream");
  for (const std::string_view key : {"tools", "text", "reasoning"}) {
    for (const std::string_view value : {"7", "\"x\"", "true"})
      EXPECT_EQ(refused(plain(",\"" + std::string(key) + "\":" + std::string(value))), key);
  }
  EXPECT_EQ(refused(plain(R"(,"text":{"format":7})")), "text.format");
  EXPECT_EQ(refused(plain(R"(,"text":{"verbosity":"low","verbosity":"high"})")), "text");
  EXPECT_EQ(refused(plain(R"(,"tools":[7])")), "tools");
  EXPECT_EQ(refused(plain(R"(,"tools":[{"type":"function"}])")), "tools");
  EXPECT_EQ(refused(plain(R"(,"tools":[{"type":"function","name":"f","name":"g"}])")), "tools");
  for (const std::string_view items :
       {"7", "\"x\"", "[]", "{}", R"({"type":7})", R"({"type":7,"role":"user","content":"x"})",
        R"({"role":{},"id":"x"})", R"({"type":"message"})", R"({"role":"user","role":"user","content":"x"})",
        R"({"role":"user","content":7})", R"({"role":"user","content":[7]})",
        R"({"role":"user","content":[{"type":"input_text"}]})",
        R"({"role":"user","content":[{"type":"input_text","text":"a","text":"b"}]})",
        R"({"role":"robot","content":"x"})", R"({"type":"function_call_output","call_id":"c","output":7})"})
    EXPECT_EQ(refused(with_input(items)), "input") << items;
}

TEST(ResponsesRequest, TakesAnyTypeAnywhere) {
  for (const std::string_view key : {"input",
                                     "instructions",
                                     "temperature",
                                     "top_p",
                                     "max_output_tokens",
                                     "tool_choice",
                                     "parallel_tool_calls",
                                     "user",
                                     "store",
                                     "service_tier",
                                     "truncation",
                                     "include",
                                     "top_logprobs",
                                     "metadata",
                                     "previous_response_id",
                                     "conversation",
                                     "prompt",
                                     "background",
                                     "stream_options",
                                     "prompt_cache_key",
                                     "prompt_cache_options",
                                     "max_tool_calls",
                                     "tools",
                                     "text",
                                     "reasoning"}) {
    for (const std::string_view value :
         {"null",
          "true",
          "-1",
          "1e300",
          "18446744073709551615",
          "\"\"",
          "[]",
          "{}",
          "[null]",
          "[[]]",
          "[{}]",
          R"({"type":null})",
          R"([{"type":[]}])",
          R"([{"type":{}}])",
          R"({"format":{"type":"json_schema","name":[],"schema":7}})",
          R"({"effort":{}})",
          R"([{"type":"function","name":"f","parameters":7,"strict":"x","description":[]}])",
          R"([{"type":"message","role":{}}])",
          R"([{"type":"function_call","call_id":7,"name":[],"arguments":{}}])",
          R"([{"type":"reasoning","summary":7}])",
          R"([{"type":"a_call_output","output":[[7]]}])",
          R"([{"role":"assistant","content":[{"type":"refusal","refusal":7}]}])"})
      read(R"({"model":"m",")" + std::string(key) + "\":" + std::string(value) +
           (key == "input" ? "}" : R"(,"input":"x"})"));
  }
  const std::string deep = std::string(100, '[') + std::string(100, ']');
  EXPECT_FALSE(read(plain(R"(,"unheard_of":)" + deep)).bad);
  EXPECT_FALSE(read(with_input(R"({"type":"strange_item","x":)" + deep + "}")).bad);
}

}  // namespace
}  // namespace sosie::protocol
