#include "protocol/protocol.h"

#include <gtest/gtest.h>

#include <set>

#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

TEST(WithoutMember, CutsOneMemberAndItsCommaAndNothingElse) {
  const auto cut = [](std::string_view body) { return without_member(body, "cache"); };
  EXPECT_EQ(cut(R"({"a":1,"cache":{"x":[1,"}"]},"b":2})"), R"({"a":1,"b":2})");
  EXPECT_EQ(cut(R"({"cache":true,"b":2})"), R"({"b":2})");
  EXPECT_EQ(cut(R"({"a":1,"cache":null})"), R"({"a":1})");
  EXPECT_EQ(cut(R"({"cache":"x"})"), "{}");
  EXPECT_EQ(cut(" {\n \"a\" : \"\\\"cache\\\":1\" ,\n \"cache\" : -1.5e3 ,\n \"b\" : [ ] } "),
            " {\n \"a\" : \"\\\"cache\\\":1\"  ,\n \"b\" : [ ] } ");
  EXPECT_EQ(cut("{ \"cache\" : [1, 2] , \"b\":2}"), "{ \"b\":2}");
  EXPECT_EQ(cut(R"({"\u0063ache":1,"b":2})"), R"({"b":2})");
}

TEST(WithoutMember, LeavesTheRestAsItIs) {
  for (const char* body : {R"({})", R"({"a":{"cache":1},"b":["cache",{"cache":2}]})", R"({"a":"cache","caches":1,"cach":{"e":2}})",
                           "{\"a\":\"\\\\\",\"b\":\"\\\"\"}"})
    EXPECT_EQ(without_member(body, "cache"), body);
}

TEST(WithoutMember, LeavesTheSameMembers) {
  const std::vector<std::string> values = {"1", "-2.5", "true", "null", R"("a,}]\"")", "[]", "{}", R"([{"x":[1,2]},"]"])", R"({"cache":{"y":"}"}})"};
  const std::vector<std::string> spaces = {"", " ", "\n\t"};
  for (const auto& value : values)
    for (const auto& other : values)
      for (const auto& space : spaces)
        for (int place = 0; place < 3; ++place) {
          std::string body = "{", expected = "{";
          for (int i = 0; i < 3; ++i) {
            if (i != 0) body += space + ",";
            body += space + (i == place ? "\"cache\"" : "\"m" + std::to_string(i) + "\"") + space + ":" + space + (i == place ? value : other);
            if (i != place) expected += (expected.size() > 1 ? ",\"m" : "\"m") + std::to_string(i) + "\":" + other;
          }
          const std::string cut = without_member(body + space + "}", "cache");
          EXPECT_EQ(canonical(cut), canonical(expected + "}")) << body << "\n" << cut;
          EXPECT_FALSE(canonical(cut).empty());
        }
}

TEST(WithoutPath, CutsAMemberOfAnObjectWithin) {
  EXPECT_EQ(without_path(R"({"a":1,"metadata":{"user_id":"u","x":2},"b":3})", "metadata.user_id"), R"({"a":1,"metadata":{"x":2},"b":3})");
  EXPECT_EQ(without_path(R"({"a":1,"metadata": { "user_id":"u" } ,"b":3})", "metadata.user_id"), R"({"a":1 ,"b":3})");
  EXPECT_EQ(without_path(R"({"a":{"b":{"c":{"d":1},"e":2}}})", "a.b.c.d"), R"({"a":{"b":{"e":2}}})");
  EXPECT_EQ(without_path(R"({"a":{"b":{"c":1}}})", "a.b.c"), "{}");
  EXPECT_EQ(without_path(R"({"user":"u","a":1})", "user"), R"({"a":1})");
  for (const char* same : {"{}", R"({"a":1})", R"({"a":[{"b":1}]})", R"({"a":{"c":1},"b":2})", R"({"a.b":1})"}) EXPECT_EQ(without_path(same, "a.b"), same);
}

TEST(WithUsageAskedFor, ChangesNothingElse) {
  EXPECT_EQ(with_usage_asked_for(R"({"stream":true})"), R"({"stream_options":{"include_usage":true},"stream":true})");
  EXPECT_EQ(with_usage_asked_for(R"( { "a" : [1] , "stream_options" : null , "stream":true })"), R"( {"stream_options":{"include_usage":true}, "a" : [1]  , "stream":true })");
  EXPECT_EQ(with_usage_asked_for(R"({"stream_options":{"include_usage":false,"include_obfuscation":false},"stream":true})"),
            R"({"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true})");
  EXPECT_EQ(with_usage_asked_for(R"({"stream_options":{},"stream":true})"), R"({"stream_options":{"include_usage":true},"stream":true})");
  EXPECT_EQ(with_usage_asked_for("{}"), R"({"stream_options":{"include_usage":true}})");
}

TEST(NewId, IsNewEachTime) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string id = new_id("x-");
    EXPECT_TRUE(id.starts_with("x-") && id.size() >= 26) << id;
    EXPECT_TRUE(seen.insert(id).second);
  }
}

TEST(CutAtWords, JoinsToTheWhole) {
  for (const std::string& text : {std::string(), std::string("one"), std::string(1000, 'x'), std::string("ä文👩‍👧 ") + std::string(100, ' '),
                                 std::string("many words in a row, many words in a row, many words in a row, many words in a row ")}) {
    std::string joined;
    for (const std::string_view piece : cut_at_words(text)) {
      EXPECT_FALSE(piece.empty());
      joined += piece;
    }
    EXPECT_EQ(joined, text);
  }
  EXPECT_GT(cut_at_words("many words in a row, many words in a row, many words in a row, many words").size(), 1u);
}

TEST(ProtocolTable, KnowsEachApi) {
  for (std::size_t i = 0; i < kSurfaces; ++i) {
    const auto surface = static_cast<Surface>(i);
    EXPECT_EQ(protocol_of(surface).surface(), surface);
    EXPECT_FALSE(to_string(surface).empty());
  }
  EXPECT_EQ(owner_of("some text"), nullptr);
  EXPECT_EQ(owner_of(""), nullptr);
}

TEST(ProtocolTable, KnowsWhoseAnswerItIs) {
  const std::string chat = kept_of(keep(protocol_of(Surface::chat), R"({"id":"a","object":"chat.completion","choices":[{"message":{"content":"x"},"finish_reason":"stop"}]})"));
  const std::string text = kept_of(keep(protocol_of(Surface::completions), R"({"id":"a","object":"text_completion","choices":[{"text":"x","finish_reason":"stop"}]})"));
  EXPECT_EQ(owner_of(chat), &protocol_of(Surface::chat));
  EXPECT_EQ(owner_of(text), &protocol_of(Surface::completions));
  EXPECT_EQ(owner_of(R"({"object":"list","data":[]})"), &protocol_of(Surface::embeddings));
}

TEST(KeptFor, MovesAnAnswerBetweenChatApis) {
  JsonReader reader;
  const std::string chat = kept_of(keep(
      protocol_of(Surface::chat),
      R"({"id":"a","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"Hello there"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}})"));
  const std::string ask_responses = R"({"model":"m","input":"hi"})";
  const std::string ask_messages = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
  for (const auto& [surface, request] : {std::pair(Surface::responses, ask_responses), std::pair(Surface::messages, ask_messages)}) {
    const Protocol& other = protocol_of(surface);
    const auto moved = kept_for(other, reader, chat, request);
    ASSERT_TRUE(moved) << to_string(surface);
    EXPECT_EQ(owner_of(*moved), &other);
    const auto back = kept_for(protocol_of(Surface::chat), reader, *moved, "{}");
    ASSERT_TRUE(back);
    const auto answer = protocol_of(Surface::chat).to_answer(reader, *back);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->text, "Hello there");
    EXPECT_EQ(answer->model, "m");
    ASSERT_TRUE(answer->usage);
    EXPECT_EQ(answer->usage->input_tokens, 3);
    EXPECT_EQ(answer->usage->output_tokens, 2);
  }
  EXPECT_EQ(kept_for(protocol_of(Surface::chat), reader, chat, "{}"), chat);
  EXPECT_FALSE(kept_for(protocol_of(Surface::completions), reader, chat, "{}"));
  EXPECT_FALSE(kept_for(protocol_of(Surface::embeddings), reader, chat, "{}"));
  EXPECT_FALSE(kept_for(protocol_of(Surface::chat), reader, "text", "{}"));
}

/// Requests that mean the same, by each API: one scope, one prompt.
TEST(OneScope, ForTheSameQuestionByAnyApi) {
  struct Same {
    std::string chat, responses, messages;
  };
  const std::vector<Same> cases = {
      {R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})",
       R"({"model":"m","max_output_tokens":9,"input":"hi"})",
       R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]})"},
      {R"({"model":"m","max_tokens":9,"temperature":0,"top_p":0.5,"stop":null,"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":[{"type":"text","text":"hi"}]}]})",
       R"({"model":"m","max_output_tokens":9,"top_p":0.5,"temperature":0.0,"instructions":"s","input":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"hi"}]})",
       R"({"model":"m","max_tokens":9,"temperature":0,"top_p":0.5,"system":"s","messages":[{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"text","text":"b"}]},{"role":"user","content":"hi"}]})"},
      {R"({"model":"m","max_tokens":9,"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}}],"tool_choice":"required","messages":[{"role":"user","content":"hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"1","type":"function","function":{"name":"f","arguments":"{\"x\": 1}"}}]},{"role":"tool","tool_call_id":"1","content":"r"}]})",
       R"({"model":"m","max_output_tokens":9,"tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false}],"tool_choice":"required","input":[{"role":"user","content":"hi"},{"type":"function_call","call_id":"z","name":"f","arguments":"{\"x\":1}"},{"type":"function_call_output","call_id":"z","output":"r"}]})",
       R"({"model":"m","max_tokens":9,"tools":[{"name":"f","description":"d","input_schema":{"type":"object"}}],"tool_choice":{"type":"any"},"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":"r"}]}]})"},
  };
  for (const Same& same : cases) {
    const Reading chat = read_good(protocol_of(Surface::chat), same.chat);
    const auto shown = [](const Reading& reading) {
      std::string out;
      for (const auto& part : reading.scope.parts()) out += part.name + " " + std::to_string(part.hash) + "\n";
      return out;
    };
    for (const auto& [surface, body] : {std::pair(Surface::responses, same.responses), std::pair(Surface::messages, same.messages)}) {
      const Reading other = read_good(protocol_of(surface), body);
      EXPECT_EQ(shown(other), shown(chat)) << body;
      EXPECT_EQ(other.digest(), chat.digest()) << body;
      EXPECT_EQ(other.question.prompt, chat.question.prompt) << body;
      EXPECT_EQ(other.question.traits.open_turn, chat.question.traits.open_turn) << body;
    }
  }
}

}  // namespace
}  // namespace sosie::protocol
