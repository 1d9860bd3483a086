#include "protocol/chat_request.h"

#include <gtest/gtest.h>

#include <set>

#include "protocol/chat.h"
#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

const std::string kUser = R"({"role":"user","content":"hi"})";

Reading good(std::string_view body) { return read_good(chat_protocol(), body); }

/// A request with further top-level members and these messages.
std::string ask(std::string_view members, std::string_view messages = R"({"role":"user","content":"hi"})") {
  return R"({"model":"m",)" + std::string(members) + (members.empty() ? "" : ",") + R"("messages":[)" + std::string(messages) + "]}";
}

TEST(ChatScope, DoesNotDependOnOrderSpellingOrDelivery) {
  const std::string scope = good(R"({"model":"m","temperature":0,"top_p":0.5,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"hi"}]})").digest();
  for (const char* same : {
           R"({"tools":[{"b":2.0,"a":1}],"messages":[{"content":"hi","role":"user"}],"top_p":5e-1,"temperature":0.0,"model":"m"})",
           R"({"model":"m","temperature":-0.0,"top_p":0.5,"stream":true,"stream_options":{"include_usage":true},"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"hi"}]})",
           R"({"model":"\u006d","temperature":0,"top_p":0.50,"seed":null,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})",
           R"({"model":"m","temperature":0,"top_p":0.5,"tools":[{"a":1,"b":2}],"messages":[{"role":"user","content":"something else entirely"}]})",
       })
    EXPECT_EQ(good(same).digest(), scope) << same;
}

TEST(ChatScope, DefaultsSpelledOutAddNothing) {
  const std::string plain = good(ask("")).digest();
  for (const char* same :
       {R"("temperature":1)", R"("temperature":1.0)", R"("top_p":1)", R"("n":1)", R"("n":1.0)", R"("presence_penalty":0)",
        R"("frequency_penalty":0.0)", R"("logprobs":false)", R"("top_logprobs":0)", R"("stream":false)", R"("tool_choice":"auto")",
        R"("tool_choice":"none")", R"("tools":[],"tool_choice":"none")", R"("parallel_tool_calls":true)",
        R"("response_format":{"type":"text"})", R"("logit_bias":{})", R"("stop":null)", R"("stop":[])", R"("tools":[])",
        R"("metadata":{})", R"("service_tier":"auto")", R"("modalities":["text"])", R"("verbosity":"medium")",
        R"("prompt_cache_key":"k")", R"("prompt_cache_retention":"24h")", R"("store":true)", R"("seed":null)", R"("user":null)"})
    EXPECT_EQ(good(ask(same)).digest(), plain) << same;
  EXPECT_EQ(good(ask(R"("max_tokens":5)")).digest(), good(ask(R"("max_completion_tokens":5.0)")).digest());
  EXPECT_EQ(good(ask(R"("stop":"x")")).digest(), good(ask(R"("stop":["x"])")).digest());
}

TEST(ChatScope, EveryParameterSeparates) {
  std::set<std::string> scopes{good(ask("")).digest()};
  for (const char* other :
       {R"("temperature":0)", R"("temperature":"0")", R"("temperature":0.1)", R"("x":{"temperature":0})", R"("top_p":0.1)", R"("n":2)",
        R"("n":"2")", R"("presence_penalty":1)", R"("frequency_penalty":1)", R"("logprobs":true)", R"("top_logprobs":2)",
        R"("tool_choice":"required")", R"("tool_choice":{"type":"function","function":{"name":"required"}})",
        R"("tool_choice":{"type":"allowed_tools"})", R"("parallel_tool_calls":false)", R"("response_format":{"type":"json_object"})",
        R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{}}})",
        R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{},"strict":true}})",
        R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{},"description":"strict"}})",
        R"("response_format":{"type":"json_schema","json_schema":{"name":"a","schema":{"b":1}}})", R"("response_format":{"type":"grammar"})",
        R"("logit_bias":{"1":2})", R"("stop":"x")", R"("stop":["x","y"])", R"("tools":[{"type":"function","function":{"name":"f"}}])",
        R"("tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none")",
        R"("tools":[{"type":"function","function":{"name":"f","strict":true}}])",
        R"("tools":[{"type":"function","function":{"name":"f","description":"d"}}])",
        R"("tools":[{"type":"function","function":{"name":"f","parameters":{}}}])", R"("tools":[{"type":"custom","custom":{"name":"f"}}])",
        R"("tools":[{"type":"web_search"}])", R"("web_search_options":{})", R"("metadata":{"a":"b"})", R"("service_tier":"flex")",
        R"("modalities":["text","audio"])", R"("audio":{"voice":"a"})", R"("verbosity":"low")", R"("reasoning_effort":"low")",
        R"("reasoning_effort":"medium")", R"("max_tokens":5)", R"("max_tokens":5,"max_completion_tokens":5)", R"("seed":0)", R"("user":"u")",
        R"("safety_identifier":"u")", R"("prediction":{"type":"content","content":"x"})", R"("functions":[{"name":"f"}])",
        R"("function_call":"none")", R"("never_heard_of":0)", R"("model2":"m")"})
    EXPECT_TRUE(scopes.insert(good(ask(other)).digest()).second) << other;
}

TEST(ChatScope, EveryMessageSeparates) {
  std::set<std::string> scopes{good(ask("")).digest()};
  const std::vector<std::string> others = {
      R"({"role":"user","content":"hi","name":"n"})",
      R"({"role":"system","content":"s"},)" + kUser,
      R"({"role":"system","content":"s","name":"n"},)" + kUser,
      R"({"role":"system","content":"s"},{"role":"system","content":"s"},)" + kUser,
      R"({"role":"system","content":"ss"},{"role":"system","content":""},)" + kUser,
      R"({"role":"critic","content":"s"},)" + kUser,
      R"({"role":"function","name":"f","content":"s"},)" + kUser,
      kUser + "," + kUser,
      R"({"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":"a"}]})",
      R"({"role":"user","content":[{"type":"text","text":"hi"},{"type":"image_url","image_url":"b"}]})",
      R"({"role":"user","content":[{"type":"image_url","image_url":"a"},{"type":"text","text":"hi"}]})",
      R"({"role":"user","content":[{"type":"text","text":"hi","cache_control":1}]})",
      R"({"role":"user","content":[{"type":"text","text":"hi","annotations":[1]}]})",
      R"({"role":"user","content":"x"},{"role":"assistant","content":"y"},)" + kUser,
      R"({"role":"user","content":"x"},{"role":"assistant","content":"y","refusal":"z"},)" + kUser,
      R"({"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"y"},)" + kUser,
      R"({"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"2","content":"y"},)" + kUser,
      R"({"role":"user","content":"x"},{"role":"assistant","tool_calls":[{"id":"1","type":"custom","custom":{"name":"f","input":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"y"},)" + kUser,
      kUser + R"(,{"role":"assistant","content":"begun"})",
      kUser + R"(,{"role":"assistant","content":"other"})",
  };
  for (const auto& messages : others) EXPECT_TRUE(scopes.insert(good(ask("", messages)).digest()).second) << messages;
}

TEST(ChatScope, IsOneForMessagesThatMeanTheSame) {
  const auto same = [](std::string_view one, std::string_view other) {
    EXPECT_EQ(good(ask("", one)).digest(), good(ask("", other)).digest()) << one << "\n" << other;
  };
  same(R"({"role":"system","content":"s"},)" + kUser, R"({"content":[{"text":"s","type":"text"}],"role":"developer","name":null},)" + kUser);
  same(R"({"role":"user","content":"x"},{"role":"assistant","content":"y"},)" + kUser,
       R"({"role":"user","content":"x"},{"role":"assistant","content":"y","refusal":null,"annotations":[],"tool_calls":[],"audio":null},)" + kUser);
  same(R"({"role":"user","content":"x"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"a\":1,\"b\":2}"}}]},{"role":"tool","tool_call_id":"1","content":"y"},)" + kUser,
       R"({"role":"user","content":"x"},{"tool_calls":[{"index":0,"function":{"arguments":"{\"b\": 2, \"a\": 1.0}","name":"f"},"type":"function","id":"call_77"}],"role":"assistant"},{"content":[{"type":"text","text":"y"}],"role":"tool","tool_call_id":"call_77"},)" + kUser);
  same(R"({"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]})", kUser);
}

TEST(ChatScope, TheBordersOfTextPartsCount) {
  const auto parts = [](const std::string& first, const std::string& second) {
    const Reading reading = good(ask("", R"({"role":"user","content":[{"type":"text","text":")" + first + R"("},{"type":"text","text":")" + second + R"("}]})"));
    return std::pair(reading.question.prompt, reading.digest());
  };
  EXPECT_EQ(parts("a", "b\\nc").first, parts("a\\nb", "c").first);
  EXPECT_NE(parts("a", "b\\nc").second, parts("a\\nb", "c").second);
  EXPECT_EQ(parts("a", "b").second, parts("long", "words").second);
}

TEST(ChatScope, ThePlaceOfAPictureAmongTextsCounts) {
  const auto read = [](std::initializer_list<std::string_view> texts) {
    std::string content;
    for (const std::string_view text : texts) {
      if (!content.empty()) content.push_back(',');
      content.append(text == "picture" ? R"({"type":"image_url","image_url":{"url":"https://a/b.png"}})"
                                       : R"({"type":"text","text":")" + std::string(text) + R"("})");
    }
    return good(ask("", R"({"role":"user","content":[)" + content + "]}"));
  };
  const Reading behind_two = read({"a", "b", "picture", "c"}), behind_one = read({"a", "picture", "b", "c"});
  EXPECT_EQ(behind_two.question.prompt, behind_one.question.prompt);
  EXPECT_NE(behind_two.digest(), behind_one.digest());
  EXPECT_NE(read({"a\\nb", "picture", "c"}).digest(), read({"a", "picture", "b\\nc"}).digest());
  EXPECT_NE(read({"a", "b\\nx", "picture", "c"}).digest(), read({"a", "picture", "b\\nx", "c"}).digest());
  EXPECT_EQ(read({"what is", "picture", "here?"}).digest(), read({"what do you see", "picture", "there?"}).digest());
}

TEST(ChatScope, ACallThatRepeatsAKeyIsTakenAsItStands) {
  const auto calls = [](std::string_view first) {
    return good(ask("", R"({"role":"assistant","tool_calls":[{"id":"1","function":{"name":")" + std::string(first) +
                            R"(","arguments":"{}"},"function":{"name":"g","arguments":"{}"}}]},)" + kUser));
  };
  EXPECT_NE(calls("f").digest(), calls("h").digest());
}

TEST(ChatScope, TellsItsPartsByName) {
  const Reading reading = good(ask(R"("temperature":0.20,"user":"u")", R"({"role":"system","content":"secret words"},)" + kUser));
  ASSERT_TRUE(reading.part("temperature") && reading.part("model") && reading.part("user") && reading.part("history"));
  EXPECT_EQ(reading.part("temperature")->shown, "0.2");
  EXPECT_EQ(reading.part("model")->shown, "\"m\"");
  EXPECT_EQ(reading.part("history")->shown, "");
  EXPECT_FALSE(reading.part("last_turn"));
  EXPECT_EQ(reading.scope.parts().size(), 4u);
}

TEST(ChatScope, SkipsTheGatewaysOwnField) {
  const Reading reading = read_good(chat_protocol(), ask(R"("cache":{"no-cache":true})"), "cache");
  EXPECT_EQ(reading.digest(), good(ask("")).digest());
  EXPECT_NE(good(ask(R"("cache":1)")).digest(), good(ask("")).digest());
}

TEST(ChatTraits, SayWhatIsSpecial) {
  const auto traits = [](std::string_view members, std::string_view messages = kUser) { return good(ask(members, messages)).question.traits; };
  EXPECT_FALSE(traits("").open_turn || traits("").no_text || traits("").seed || traits("").logprobs || traits("").hosted_tools);
  EXPECT_EQ(traits("").choices, 1);
  EXPECT_EQ(traits("").temperature, 1);
  EXPECT_EQ(traits(R"("n":3)").choices, 3);
  EXPECT_EQ(traits(R"("n":"3")").choices, 0);
  EXPECT_EQ(traits(R"("n":1e30)").choices, 0);
  EXPECT_TRUE(traits(R"("seed":0)").seed);
  EXPECT_TRUE(traits(R"("logprobs":true)").logprobs);
  EXPECT_EQ(traits(R"("temperature":1.5)").temperature, 1.5);
  EXPECT_TRUE(traits(R"("web_search_options":{})").hosted_tools);
  EXPECT_TRUE(traits(R"("tools":[{"type":"mcp"}])").hosted_tools);
  const auto functions = traits(R"("tools":[{"type":"function","function":{"name":"f"}},{"type":"custom","custom":{"name":"g"}}],"functions":[{"name":"h"}])");
  EXPECT_FALSE(functions.hosted_tools);
  EXPECT_EQ(std::set<std::string>(functions.functions.begin(), functions.functions.end()), (std::set<std::string>{"f", "g", "h"}));
  for (const char* own : {R"("n":2)", R"("logprobs":true)", R"("modalities":["audio"])", R"("audio":{})", R"("functions":[])", R"("web_search_options":{})"})
    EXPECT_TRUE(good(ask(own)).question.needs_own_api) << own;
  EXPECT_FALSE(good(ask(R"("temperature":0,"user":"u","tools":[{"type":"function","function":{"name":"f"}}])")).question.needs_own_api);
}

TEST(ChatTraits, OfAnOpenTurnTheLastQuestionIsAsked) {
  const Reading reading = good(ask("", R"({"role":"system","content":"s"},{"role":"user","content":"weather?"},{"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{}"}}]},{"role":"tool","tool_call_id":"1","content":"rain"})"));
  EXPECT_TRUE(reading.question.traits.open_turn);
  EXPECT_FALSE(reading.question.traits.no_text);
  EXPECT_EQ(reading.question.prompt, "weather?");
  EXPECT_TRUE(reading.part("last_turn") && reading.part("history"));
  const Reading nobody = good(ask("", R"({"role":"system","content":"s"})"));
  EXPECT_TRUE(nobody.question.traits.open_turn && nobody.question.traits.no_text);
  EXPECT_EQ(nobody.question.prompt, "");
  EXPECT_NE(nobody.digest(), good(ask("", R"({"role":"system","content":"t"})")).digest());
}

TEST(ChatTraits, SayWhereThereIsNoText) {
  for (const char* blank : {R"({"role":"user","content":" \n\t"})", R"({"role":"user","content":null})", R"({"role":"user"})",
                            R"({"role":"user","content":[{"type":"image_url","image_url":"a"}]})"})
    EXPECT_TRUE(good(ask("", blank)).question.traits.no_text) << blank;
}

TEST(ChatRequest, ReadsTheStreamFields) {
  EXPECT_FALSE(good(ask(R"("stream":null)")).question.stream);
  const Question question = good(ask(R"("stream":true,"stream_options":{"include_usage":true})")).question;
  EXPECT_TRUE(question.stream && question.include_usage);
  EXPECT_EQ(question.model, "m");
}

TEST(ChatRequest, NamesTheFieldAtFault) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"model":"m"})", "messages"},
      {R"({"messages":[{"role":"user","content":"x"}]})", "model"},
      {R"({"model":"m","messages":"x"})", "messages"},
      {R"({"model":"m","messages":[]})", "messages"},
      {R"({"model":"m","messages":[1]})", "messages"},
      {R"({"model":"m","messages":[{"content":"x"}]})", "messages"},
      {R"({"model":"m","stream":1,"messages":[]})", "stream"},
      {R"({"model":"m","stream":"yes","messages":[]})", "stream"},
      {R"({"model":"m","stream_options":1,"messages":[]})", "stream_options"},
      {R"({"model":"m","model":"m","messages":[]})", ""},
      {ask("", R"({"role":"user","role":"user","content":"x"})"), "messages"},
      {ask("", R"({"role":"user","content":{"a":1}})"), "messages"},
      {ask("", R"({"role":"user","content":["a"]})"), "messages"},
      {ask("", R"({"role":"user","content":[{"type":"text","type":"text","text":"a"}]})"), "messages"},
      {ask("", R"({"role":"assistant","content":[{"type":"text","text":"b","text":"a"}]},)" + kUser), "messages"},
      {ask("", R"({"role":"user","content":[{"type":"text"}]})"), "messages"},
  };
  for (const auto& [body, param] : cases) {
    const Reading reading = read_any(chat_protocol(), body);
    ASSERT_TRUE(reading.bad) << body;
    EXPECT_EQ(reading.bad->param, param) << body;
  }
}

TEST(CanonicalJson, IsEqualExactlyForEqualMeaning) {
  EXPECT_EQ(canonical(R"({"b":[1,2.50,"\u0041"],"a":-0.0})"), R"({"a":0,"b":[1,2.5,"A"]})");
  EXPECT_EQ(canonical("9007199254740992.0"), "9007199254740992");
  EXPECT_NE(canonical("9007199254740993"), canonical("9007199254740992.0"));
  EXPECT_EQ(canonical("18446744073709551615"), "18446744073709551615");
  EXPECT_NE(canonical(R"("1")"), canonical("1"));
  EXPECT_NE(canonical(R"({"a":1,"a":2})"), canonical(R"({"a":2,"a":1})"));
  EXPECT_EQ(canonical("\"\\u0000\\n\\\"\\\\\x7f\""), "\"\\u0000\\n\\\"\\\\\x7f\"");
}

}  // namespace
}  // namespace sosie::protocol
