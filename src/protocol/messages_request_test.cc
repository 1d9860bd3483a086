#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/digest.h"
#include "protocol/chat.h"
#include "protocol/messages.h"

namespace sosie::protocol {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

struct Read {
  Question question;
  Scope scope;
  std::optional<BadRequest> bad;

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const ScopePart& part : scope.parts()) names.push_back(part.name);
    return names;
  }
  std::string digest() const { return base::to_hex(scope.digest()); }
};

Read read(std::string body, std::string_view without = {}, const Protocol& api = messages_protocol()) {
  JsonReader reader;
  Read result;
  const auto root = reader.read_copy(body);
  if (!root) {
    ADD_FAILURE() << "the test's own body is not JSON: " << body;
    return result;
  }
  result.bad = api.read(root->get_object().value_unsafe(), without, result.question, result.scope);
  return result;
}

/// A body with these members besides the three that each must have.
std::string with(const std::string& members, const std::string& messages = R"([{"role":"user","content":"Why?"}])") {
  return R"({"model":"m","max_tokens":64,"messages":)" + messages + (members.empty() ? "" : "," + members) + "}";
}
std::string talk(const std::string& messages) { return with("", messages); }

void expect_same(const std::string& a, const std::string& b) {
  const Read first = read(a), second = read(b);
  EXPECT_FALSE(first.bad) << first.bad->message;
  EXPECT_FALSE(second.bad) << second.bad->message;
  EXPECT_EQ(first.digest(), second.digest()) << a << "\n" << b;
  EXPECT_EQ(first.question.prompt, second.question.prompt);
}

void expect_apart(const std::string& a, const std::string& b) {
  const Read first = read(a), second = read(b);
  EXPECT_FALSE(first.bad) << first.bad->message;
  EXPECT_FALSE(second.bad) << second.bad->message;
  EXPECT_NE(first.digest(), second.digest()) << a << "\n" << b;
}

TEST(MessagesRequestTest, ReadsThePromptAndWhatLimitsIt) {
  const Read simple = read(with(R"("stream":true,"temperature":0.5)"));
  ASSERT_FALSE(simple.bad);
  EXPECT_EQ(simple.question.prompt, "Why?");
  EXPECT_EQ(simple.question.model, "m");
  EXPECT_TRUE(simple.question.stream);
  EXPECT_EQ(simple.question.traits.temperature, 0.5);
  EXPECT_FALSE(simple.question.traits.open_turn);
  EXPECT_FALSE(simple.question.traits.no_text);
  EXPECT_THAT(simple.names(), ElementsAre("max_tokens", "model", "temperature"));
}

TEST(MessagesRequestTest, WhatMeansTheSameSharesAScope) {
  const std::string plain = with("");
  for (const char* members :
       {R"("temperature":1)", R"("temperature":1.0)", R"("top_p":1)", R"("stop_sequences":[])", R"("stream":true)",
        R"("service_tier":"auto")", R"("tool_choice":{"type":"auto"})", R"("system":null)", R"("tools":[])",
        R"("tool_choice":{"type":"auto","disable_parallel_tool_use":false})", R"("system":[])", R"("metadata":{})",
        R"("cache_control":{"type":"ephemeral"})", R"("metadata":{"user_id":null})", R"("mcp_servers":[])"})
    expect_same(plain, with(members));
  expect_same(
      plain,
      R"({"messages":[{"content":[{"text":"Why?","type":"text"}],"role":"user"}],"max_tokens":64.0,"model":"m"})");
  expect_same(
      plain,
      talk(
          R"([{"role":"user","content":[{"type":"text","text":"Why?","cache_control":{"type":"ephemeral"},"citations":null}]}])"));
  expect_same(with(R"("system":"Be brief.")"),
              with(R"("system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}])"));
  expect_same(with(R"("system":"Be\nbrief.")"), with(R"("system":"Be\nbrief.","temperature":1)"));
  expect_same(with(R"("system":"Be brief.")"),
              talk(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}])"));
  expect_same(with(R"("stop_sequences":["a","b"])"), with(R"("stop_sequences":["b","a"])"));
}

TEST(MessagesRequestTest, WhatMayChangeTheAnswerSeparates) {
  const std::string plain = with("");
  std::vector<std::string> digests{read(plain).digest()};
  for (const char* members : {R"("temperature":0)",
                              R"("top_p":0.5)",
                              R"("top_k":5)",
                              R"("stop_sequences":["a"])",
                              R"("system":"Be brief.")",
                              R"("thinking":{"type":"enabled","budget_tokens":1024})",
                              R"("thinking":{"type":"adaptive"})",
                              R"("service_tier":"standard_only")",
                              R"("tool_choice":{"type":"any"})",
                              R"("tools":[{"name":"f"}],"tool_choice":{"type":"none"})",
                              R"("tools":[{"name":"f"}])",
                              R"("tool_choice":{"type":"tool","name":"f"})",
                              R"("tool_choice":{"type":"auto","disable_parallel_tool_use":true})",
                              R"("metadata":{"user_id":"u"})",
                              R"("container":"c")",
                              R"("output_config":{"effort":"low"})",
                              R"("tools":[{"name":"f","input_schema":{"type":"object"}}])",
                              R"("tools":[{"name":"f","input_schema":{"type":"object"},"strict":true}])",
                              R"("tools":[{"name":"f","input_schema":{"type":"object"},"input_examples":[{"a":1}]}])",
                              R"("tools":[{"type":"web_search_20250305","name":"web_search"}])",
                              R"("tools":[{"type":"bash_20250124","name":"bash"}])",
                              R"("mcp_servers":[{"type":"url","url":"https://a"}])",
                              R"("context_management":{"edits":[{}]})",
                              R"("something_new":1)"})
    digests.push_back(read(with(members)).digest());
  std::sort(digests.begin(), digests.end());
  EXPECT_EQ(std::adjacent_find(digests.begin(), digests.end()), digests.end());
}

TEST(MessagesRequestTest, TheHistorySeparatesAndTheLastTextDoesNot) {
  const std::string begun =
      R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":")";
  EXPECT_EQ(read(talk(begun + "A\"}]")).digest(), read(talk(begun + "B\"}]")).digest());
  expect_apart(talk(begun + "A\"}]"), with(""));
  expect_apart(
      talk(begun + "A\"}]"),
      talk(R"([{"role":"user","content":"Hi"},{"role":"user","content":"Hello"},{"role":"user","content":"A"}])"));
  const Read last = read(talk(begun + "A\"}]"));
  EXPECT_EQ(last.question.prompt, "A");
  EXPECT_THAT(last.names(), ElementsAre("history", "max_tokens", "model"));
}

TEST(MessagesRequestTest, TextsJoinAndTheirPlacesMatterWhereTheyBreakLines) {
  const auto texts = [](const char* a, const char* b) {
    return talk(R"([{"role":"user","content":[{"type":"text","text":")" + std::string(a) +
                R"("},{"type":"text","text":")" + b + R"("}]}])");
  };
  EXPECT_EQ(read(texts("a", "b")).question.prompt, "a\nb");
  expect_same(texts("a", "b"), talk(R"([{"role":"user","content":"a\nb"}])"));
  expect_apart(texts("a\\nb", "c"), texts("a", "b\\nc"));
}

TEST(MessagesRequestTest, ImagesAndDocumentsSeparate) {
  const auto image = [](const char* data, const char* more = "") {
    return talk(
        R"([{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":")" +
        std::string(data) + "\"}" + more + R"(},{"type":"text","text":"What is it?"}]}])");
  };
  expect_apart(image("AAAA"), image("AAAB"));
  expect_apart(image("AAAA"), talk(R"([{"role":"user","content":"What is it?"}])"));
  expect_same(image("AAAA"), image("AAAA", R"(,"cache_control":{"type":"ephemeral","ttl":"1h"})"));
  EXPECT_EQ(read(image("AAAA")).question.prompt, "What is it?");

  // Deep in a document, too; but a member of that name in what a tool is called with is the model's own.
  const auto document = [](const char* more) {
    return talk(
        R"([{"role":"user","content":[{"type":"document","source":{"type":"content","content":[{"type":"text","text":"d")" +
        std::string(more) + R"(}]}},{"type":"text","text":"?"}]}])");
  };
  expect_same(document(""), document(R"(,"cache_control":{"type":"ephemeral"})"));
  const auto call = [](const char* input) {
    return talk(
        R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":)" +
        std::string(input) +
        R"(}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}])");
  };
  expect_apart(call("{}"), call(R"({"cache_control":1})"));
  expect_same(call(R"({"a":1,"b":2.0})"), call(R"({"b":2,"a":1})"));

  const Read only_image =
      read(talk(R"([{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a"}}]}])"));
  EXPECT_TRUE(only_image.question.traits.no_text);
}

TEST(MessagesRequestTest, AToolsResultIsAnOpenTurn) {
  const auto turns = [](const char* result) {
    return talk(
        R"([{"role":"user","content":"How warm?"},{"role":"assistant","content":[{"type":"text","text":"Let me see."},)"
        R"({"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Oslo"}}]},{"role":"user","content":[)" +
        std::string(result) + "]}]");
  };
  const Read open = read(turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C"})"));
  ASSERT_FALSE(open.bad);
  EXPECT_TRUE(open.question.traits.open_turn);
  EXPECT_EQ(open.question.prompt, "How warm?");
  EXPECT_THAT(open.names(), ElementsAre("last_turn", "max_tokens", "model"));
  expect_same(
      turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C"})"),
      turns(
          R"({"type":"tool_result","tool_use_id":"toolu_1","is_error":false,"content":[{"type":"text","text":"3 C"}]})"));
  expect_apart(turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C"})"),
               turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"4 C"})"));
  expect_apart(turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C"})"),
               turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C","is_error":true})"));

  // With a text behind it the turn is the user's again.
  const Read closed = read(
      turns(R"({"type":"tool_result","tool_use_id":"toolu_1","content":"3 C"},{"type":"text","text":"And now?"})"));
  EXPECT_FALSE(closed.question.traits.open_turn);
  EXPECT_EQ(closed.question.prompt, "And now?");
  EXPECT_THAT(closed.names(), ElementsAre("history", "max_tokens", "model"));
}

TEST(MessagesRequestTest, AnAnswerBegunIsAnOpenTurn) {
  const Read begun = read(talk(R"([{"role":"user","content":"Why?"},{"role":"assistant","content":"Because"}])"));
  EXPECT_TRUE(begun.question.traits.open_turn);
  EXPECT_EQ(begun.question.prompt, "Why?");
  const std::string continued = talk(R"([{"role":"user","content":"Why?"},{"role":"assistant","content":"Because"}])");
  EXPECT_NE(begun.digest(), read(continued, {}, chat_protocol()).digest());  // There it is answered anew.
  expect_apart(talk(R"([{"role":"user","content":"Why?"},{"role":"assistant","content":"Because"}])"), with(""));
  const Read never_asked = read(talk(R"([{"role":"assistant","content":"Because"}])"));
  EXPECT_TRUE(never_asked.question.traits.no_text);
  EXPECT_EQ(never_asked.question.prompt, "");
}

TEST(MessagesRequestTest, TellsToolsApart) {
  const Read functions = read(with(
      R"("tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"cache_control":{"type":"ephemeral"}},)"
      R"({"type":"custom","name":"g","input_schema":{}},{"type":"bash_20250124","name":"bash"}])"));
  EXPECT_THAT(functions.question.traits.functions, ElementsAre("f", "g", "bash"));
  EXPECT_FALSE(functions.question.traits.hosted_tools);
  EXPECT_THAT(functions.names(), ElementsAre("max_tokens", "messages.tools", "model", "tools"));
  for (const char* hosted :
       {R"({"type":"web_search_20250305","name":"web_search"})", R"({"type":"code_execution_20250825","name":"x"})",
        R"({"type":"browser_toolset_20260801"})", R"({"type":"mcp_toolset","mcp_server_name":"a"})"})
    EXPECT_TRUE(read(with(R"("tools":[)" + std::string(hosted) + "]")).question.traits.hosted_tools) << hosted;
  EXPECT_TRUE(read(with(R"("container":"c")")).question.traits.hidden_state);
  expect_same(
      with(R"("tools":[{"name":"f","input_schema":{"type":"object","a":1}}])"),
      with(
          R"("tools":[{"input_schema":{"a":1.0,"type":"object"},"type":"custom","name":"f","strict":false,"defer_loading":false,)"
          R"("allowed_callers":["direct"]}])"));
}

TEST(MessagesRequestTest, TheSameQuestionByChatSharesTheScope) {
  const std::string call =
      R"("id":"t1","type":"function","function":{"name":"f","arguments":"{\"b\":1, \"a\":[true]}"})";
  const std::string schema = R"({"type":"object","properties":{"a":{"type":"array"}}})";
  const std::pair<std::string, std::string> pairs[] = {
      {with(""), with("")},
      {with(R"("system":"Be brief.")"),
       talk(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}])")},
      {with(R"("system":[{"type":"text","text":"Be brief."},{"type":"text","text":"Be kind."}])"),
       talk(
           R"([{"role":"developer","content":"Be brief.\nBe kind."},{"role":"user","content":[{"type":"text","text":"Why?"}]}])")},
      {talk(
           R"([{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"text","text":"Hello"}]},{"role":"user","content":"Why?"}])"),
       talk(
           R"([{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello"},{"role":"user","content":"Why?"}])")},
      {with(R"("temperature":0.0,"top_p":0.5,"stop_sequences":["a"],"metadata":{"user_id":"u"},"service_tier":"auto")"),
       with(R"("temperature":0,"top_p":0.5,"stop":"a","user":"u","service_tier":"auto","parallel_tool_calls":true)")},
      {with(R"("tools":[{"name":"f","description":"d","input_schema":)" + schema +
            R"(}],"tool_choice":{"type":"any","disable_parallel_tool_use":true})"),
       with(R"("tools":[{"type":"function","function":{"name":"f","description":"d","parameters":)" + schema +
            R"(}}],"tool_choice":"required","parallel_tool_calls":false)")},
      {with(R"("tools":[{"name":"f","input_schema":)" + schema +
            R"(,"strict":true}],"tool_choice":{"type":"tool","name":"f"})"),
       with(R"("tools":[{"type":"function","function":{"name":"f","strict":true,"parameters":)" + schema +
            R"(}}],"tool_choice":{"type":"function","function":{"name":"f"}})")},
      {with(R"("tool_choice":{"type":"none"})"), with(R"("tool_choice":"none")")},
      {with(R"("tool_choice":{"type":"none"},"tools":[{"name":"f"}])"),
       with(R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")")},
      // A tool's result, as the last turn and as history.
      {talk(
           R"([{"role":"user","content":"Why?"},{"role":"assistant","content":[{"type":"text","text":"Let me see."},)"
           R"({"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[true],"b":1}}]},)"
           R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":[{"type":"text","text":"3"}]}]}])"),
       talk(R"([{"role":"user","content":"Why?"},{"role":"assistant","content":"Let me see.","tool_calls":[{)" + call +
            R"(}]},{"role":"tool","tool_call_id":"t1","content":"3"}])")},
      {talk(
           R"([{"role":"user","content":"How?"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"f","input":{"a":[true],"b":1}}]},)"
           R"({"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"3"},{"type":"text","text":"Why?"}]}])"),
       talk(R"([{"role":"user","content":"How?"},{"role":"assistant","content":null,"tool_calls":[{)" + call +
            R"(}]},{"role":"tool","tool_call_id":"t1","content":"3"},{"role":"user","content":"Why?"}])")},
  };
  for (const auto& [ours, theirs] : pairs) {
    const Read message = read(ours), chat = read(theirs, {}, chat_protocol());
    ASSERT_FALSE(message.bad) << message.bad->message;
    ASSERT_FALSE(chat.bad) << chat.bad->message;
    EXPECT_EQ(message.names(), chat.names()) << ours;
    EXPECT_EQ(message.digest(), chat.digest()) << ours << "\n" << theirs;
    EXPECT_EQ(message.question.prompt, "Why?");
    EXPECT_EQ(chat.question.prompt, "Why?");
    EXPECT_EQ(message.question.traits.open_turn, chat.question.traits.open_turn);
    EXPECT_EQ(message.question.traits.functions, chat.question.traits.functions);
  }
}

TEST(MessagesRequestTest, OurOwnMemberIsSkipped) {
  EXPECT_EQ(read(with(R"("cache":{"no-cache":true})"), "cache").digest(), read(with("")).digest());
  EXPECT_NE(read(with(R"("cache":{"no-cache":true})")).digest(), read(with("")).digest());
}

TEST(MessagesRequestTest, RefusesWhatBreaksTheRules) {
  const std::pair<std::string, std::string> bodies[] = {
      {R"({})", "model"},
      {R"({"model":1,"max_tokens":1,"messages":[]})", "model"},
      {R"({"model":"m","messages":[{"role":"user","content":"a"}]})", "max_tokens"},
      {R"({"model":"m","max_tokens":"1","messages":[{"role":"user","content":"a"}]})", "max_tokens"},
      {R"({"model":"m","max_tokens":1})", "messages"},
      {with("", "{}"), "messages"},
      {with("", "[]"), "messages"},
      {with("", "\"Why?\""), "messages"},
      {with("", "[1]"), "messages"},
      {with("", R"([{"role":"user"}])"), "messages"},
      {with("", R"([{"role":"bishop","content":"a"}])"), "messages"},
      {with("", R"([{"role":"user","content":1}])"), "messages"},
      {with("", R"([{"role":"user","content":["a"]}])"), "messages"},
      {with("", R"([{"role":"user","content":[{"text":"a"}]}])"), "messages"},
      {with("", R"([{"role":"user","content":[{"type":"text"}]}])"), "messages"},
      {with("", R"([{"role":"user","content":[{"type":"text","text":"a","text":"b"}]}])"), "messages"},
      {with("", R"([{"role":"user","content":"a","content":"b"}])"), "messages"},
      {with(R"("stream":"yes")"), "stream"},
      {with(R"("model":"n")"), ""},
      {with(R"("system":1)"), "system"},
      {with(R"("system":[{"type":"text"}])"), "system"},
      {with(R"("temperature":"hot")"), "temperature"},
      {with(R"("stop_sequences":"a")"), "stop_sequences"},
      {with(R"("tools":{})"), "tools"},
      {with(R"("tools":["f"])"), "tools"},
      {with(R"("tools":[{"input_schema":{}}])"), "tools"},
      {with(R"("tools":[{"type":1,"name":"f"}])"), "tools"},
      {with(R"("tools":[{"name":"f","name":"g"}])"), "tools"},
      {with(R"("tool_choice":"auto")"), "tool_choice"},
      {with(R"("tool_choice":{"type":"auto","type":"any"})"), "tool_choice"},
      {with(R"("metadata":"u")"), "metadata"},
      {with(R"("metadata":{"user_id":"u","user_id":"v"})"), "metadata"},
  };
  for (const auto& [body, param] : bodies) {
    const Read result = read(body);
    ASSERT_TRUE(result.bad) << body;
    EXPECT_EQ(result.bad->param, param) << body;
    EXPECT_FALSE(result.bad->message.empty());
  }
}

TEST(MessagesRequestTest, NothingOddIsOverlooked) {
  const auto result = [](const char* block) {
    return talk(R"([{"role":"user","content":"Why?"},{"role":"user","content":[)" + std::string(block) + "]}]");
  };
  expect_apart(result(R"({"type":"tool_result","tool_use_id":7})"),
               result(R"({"type":"tool_result","tool_use_id":8})"));
  expect_apart(result(R"({"type":"tool_result","content":7})"), result(R"({"type":"tool_result","content":8})"));
  expect_apart(result(R"({"type":"tool_result","tool_use_id":"t","content":7})"),
               result(R"({"type":"tool_result","tool_use_id":"t","content":8})"));
  expect_apart(result(R"({"type":"tool_result","tool_use_id":"t","content":[7]})"),
               result(R"({"type":"tool_result","tool_use_id":"t","content":[8]})"));
  expect_apart(result(R"({"type":"tool_result","tool_use_id":"t","is_error":1})"),
               result(R"({"type":"tool_result","tool_use_id":"t","is_error":2})"));
  expect_apart(result(R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a","text":"b"}]})"),
               result(R"({"type":"tool_result","tool_use_id":"t","content":[{"type":"text","text":"a"}]})"));
  const auto call = [](const char* members) {
    return talk(R"([{"role":"assistant","content":[{"type":"tool_use",)" + std::string(members) +
                R"(}]},{"role":"user","content":"Why?"}])");
  };
  expect_apart(call(R"("id":"t","name":7,"input":{})"), call(R"("id":"t","name":8,"input":{})"));
  expect_apart(call(R"("id":"t","name":"f","input":"{}")"), call(R"("id":"t","name":"f","input":{})"));
  expect_apart(call(R"("id":"t","name":"f","input":{},"caller":{"type":"x"})"),
               call(R"("id":"t","name":"f","input":{})"));
  expect_same(call(R"("id":"t","name":"f","input":{},"caller":{"type":"direct"})"),
              call(R"("id":"t","name":"f","input":{})"));
  expect_apart(with(R"("metadata":{"a":1})"), with(R"("metadata.a":1)"));
  expect_apart(with(R"("metadata":{"user_id":"u"})"), with(R"("user":"u")"));
  expect_apart(with(R"("new":{})"), with(""));
  expect_apart(with(R"("tools":[{"name":"f","description":7}])"), with(R"("tools":[{"name":"f","description":8}])"));
  expect_apart(with(R"("tool_choice":{"type":"tool","name":7})"), with(R"("tool_choice":{"type":"tool","name":8})"));
}

TEST(MessagesRequestTest, OddValuesAndDeepNestsNeitherCrashNorShare) {
  const std::vector<std::string> values{
      "null", "true", "1", "-1.5", "\"x\"", "[]", "[[]]", "[null]", "{}", R"({"type":null})", R"([{"type":"x"}])"};
  for (const char* key :
       {"model", "max_tokens", "messages", "system", "tools", "tool_choice", "metadata", "stop_sequences", "thinking",
        "container", "mcp_servers", "stream", "temperature", "top_p", "top_k", "service_tier", "cache_control"})
    for (const std::string& value : values) read(R"({"max_tokens":1,")" + std::string(key) + "\":" + value + "}");
  for (const char* key :
       {"type", "text", "source", "content", "tool_use_id", "id", "name", "input", "is_error", "citations", "caller"})
    for (const char* type : {"text", "image", "tool_use", "tool_result", "thinking", "document", "never_heard_of"})
      for (const char* role : {"user", "assistant"})
        for (const std::string& value : values)
          read(talk(R"([{"role":")" + std::string(role) + R"(","content":[{"type":")" + type +
                    R"(","cache_control":1,")" + (key == std::string("type") ? "kind" : key) + "\":" + value + "}]}]"));
  std::string deep;
  for (int i = 0; i < 50; ++i) deep += R"({"type":"document","cache_control":1,"content":[)";
  for (int i = 0; i < 50; ++i) deep += "]}";
  EXPECT_FALSE(read(talk(R"([{"role":"user","content":[)" + deep + R"(,{"type":"text","text":"a"}]}])")).bad);
}

}  // namespace
}  // namespace sosie::protocol
