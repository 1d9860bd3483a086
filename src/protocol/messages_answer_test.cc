#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "protocol/chat.h"
#include "protocol/messages.h"
#include "protocol/reading.h"

namespace sosie::protocol {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::string kText =
    R"({"model":"claude","id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"The sky scatters )"
    R"(the short waves of light more than the long ones; so it looks blue. \"Größe\" \n 雪"}],"stop_reason":"end_turn",)"
    R"("stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":5,"output_tokens":31,)"
    R"("service_tier":"standard"}})";
const std::string kTools =
    R"({"id":"msg_2","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Which city? Oslo.",)"
    R"("signature":"c2ln"},{"type":"text","text":"Let me see."},{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Oslo",)"
    R"("days":[1,2]}},{"type":"tool_use","id":"toolu_2","name":"now","input":{}}],"stop_reason":"tool_use","stop_sequence":null,)"
    R"("usage":{"input_tokens":2,"output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}})";
const std::string kCited =
    R"({"id":"msg_3","type":"message","role":"assistant","model":"claude","content":[{"citations":[{"type":"char_location",)"
    R"("cited_text":"a b","document_index":0},{"type":"char_location","cited_text":"c","document_index":1}],"type":"text","text":"As said."},)"
    R"({"type":"redacted_thinking","data":"xyz"},{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"a b"}},)"
    R"({"type":"web_search_tool_result","tool_use_id":"srvtoolu_1","content":[{"type":"web_search_result","url":"https://a"}]}],)"
    R"("container":{"id":"c","expires_at":"t"},"stop_details":null,"stop_reason":"stop_sequence","stop_sequence":"END",)"
    R"("usage":{"input_tokens":2,"output_tokens":9,"server_tool_use":{"web_search_requests":1}}})";

std::variant<Kept, NotKept> keep(const std::string& body) {
  JsonReader reader;
  return messages_protocol().keep(reader, body, {});
}
std::string kept(const std::string& body) {
  auto result = keep(body);
  if (const auto* why = std::get_if<NotKept>(&result)) ADD_FAILURE() << to_string(why->reason);
  const auto* answer = std::get_if<Kept>(&result);
  return answer ? answer->answer : std::string();
}
std::string why_not(const std::string& body) {
  const auto result = keep(body);
  const auto* why = std::get_if<NotKept>(&result);
  return why ? std::string(to_string(why->reason)) : "kept";
}

using Events = std::vector<std::pair<std::string, std::string>>;

Events events_of(const std::string& stream) {
  Events events;
  std::size_t at = 0;
  while (at < stream.size()) {
    const std::size_t line = stream.find('\n', at), end = stream.find("\n\n", at);
    if (end == std::string::npos || !stream.substr(at).starts_with("event: ") ||
        !stream.substr(line + 1).starts_with("data: ")) {
      ADD_FAILURE() << "not an event: " << stream.substr(at, 80);
      return events;
    }
    events.emplace_back(stream.substr(at + 7, line - at - 7), stream.substr(line + 7, end - line - 7));
    at = end + 2;
  }
  return events;
}

std::unique_ptr<Assembler> assemble(const Events& events) {
  JsonReader reader;
  auto assembler = messages_protocol().assembler();
  for (const auto& [name, data] : events) assembler->add(reader, name, data);
  return assembler;
}
std::variant<Kept, NotKept> finish(const Events& events) {
  JsonReader reader;
  return assemble(events)->finish(reader, {});
}
std::string fault_of(const Events& events) {
  const auto result = finish(events);
  const auto* why = std::get_if<NotKept>(&result);
  return why ? std::string(to_string(why->reason)) : "kept";
}

/// Behind the id, which is new each time it is said.
std::string less_id(const std::string& answer) { return answer.substr(answer.find("\",\"type\"")); }

std::string replayed(const std::string& answer) {
  JsonReader reader;
  const auto stream = messages_protocol().replay_stream(reader, answer, {});
  EXPECT_TRUE(stream);
  return stream.value_or("");
}

Events with(Events events, std::size_t at, std::pair<std::string, std::string> event) {
  events.insert(events.begin() + static_cast<std::ptrdiff_t>(at), std::move(event));
  return events;
}

TEST(MessagesAnswerTest, KeepsWholeMessagesAndRepeatsThemUnderANewId) {
  const std::string answer = kept(kText);
  EXPECT_THAT(answer, StartsWith(R"({"id":"msg_1","type":"message","model":"claude","role":"assistant","content":[)"));
  EXPECT_TRUE(messages_protocol().owns(answer));
  EXPECT_EQ(kept(answer), answer);
  const auto replay = messages_protocol().replay(answer, {});
  ASSERT_TRUE(replay);
  const std::string said = replay->head + std::string(replay->tail);
  EXPECT_THAT(said, StartsWith(R"({"id":"msg_)"));
  EXPECT_EQ(less_id(said), less_id(answer));
  EXPECT_NE(said, answer);
  EXPECT_EQ(kept(said), said);
  EXPECT_THAT(std::get<Kept>(keep(kTools)).tools, ElementsAre("weather", "now"));
  EXPECT_THAT(std::get<Kept>(keep(kCited)).tools, IsEmpty());
}

TEST(MessagesAnswerTest, DoesNotKeepWhatIsNoWholeAnswer) {
  const auto message = [](const std::string& content, const std::string& reason, const std::string& more = "") {
    return R"({"id":"m","type":"message","role":"assistant","content":)" + content + R"(,"stop_reason":)" + reason +
           more + "}";
  };
  const std::string text = R"([{"type":"text","text":"a"}])";
  EXPECT_EQ(why_not(message(text, R"("end_turn")")), "kept");
  EXPECT_EQ(why_not(message(text, R"("stop_sequence")")), "kept");
  for (const char* reason :
       {"\"max_tokens\"", "\"refusal\"", "\"pause_turn\"", "\"model_context_window_exceeded\"", "null", "1", "\"\""})
    EXPECT_EQ(why_not(message(text, reason)), "finish_reason") << reason;
  EXPECT_EQ(why_not(message("[]", R"("end_turn")")), "empty_answer");
  EXPECT_EQ(why_not(message(R"([{"type":"text","text":""}])", R"("end_turn")")), "empty_answer");
  EXPECT_EQ(why_not(message(R"([{"type":"text","text":" \n"}])", R"("end_turn")")), "empty_answer");
  EXPECT_EQ(why_not(message(R"([{"type":"thinking","thinking":"a","signature":"b"}])", R"("end_turn")")),
            "empty_answer");
  EXPECT_EQ(why_not(message(text, R"("end_turn")", R"(,"error":{"type":"api_error"})")), "error_inside");
  EXPECT_EQ(why_not(message(text, R"("end_turn")", R"(,"role":"user")")), "not_json");
  for (const char* content : {"null", "\"a\"", "{}", "[1]", "[{}]", R"([{"type":1}])", R"([{"type":"text"}])",
                              R"([{"type":"text","text":1}])", R"([{"type":"text","text":"a","text":"b"}])"})
    EXPECT_EQ(why_not(message(content, R"("end_turn")")), "not_a_message") << content;
  for (const char* call :
       {R"([{"type":"tool_use"}])", R"([{"type":"tool_use","id":"t","name":"f"}])",
        R"([{"type":"tool_use","id":"t","name":"f","input":"{}"}])", R"([{"type":"tool_use","name":"f","input":{}}])"})
    EXPECT_EQ(why_not(message(call, R"("tool_use")")), "tool_calls") << call;
  for (const char* body : {"", "{", "[]", "1", "null"}) EXPECT_EQ(why_not(body), "not_json") << body;
  EXPECT_EQ(why_not("{}"), "not_a_message");
  EXPECT_EQ(why_not(R"({"type":"error","error":{"type":"overloaded_error","message":"a"}})"), "error_inside");
  EXPECT_EQ(why_not(R"({"type":"message","role":"user","content":[],"stop_reason":"end_turn"})"), "not_a_message");
  EXPECT_NE(why_not(std::string(200, '[') + std::string(200, ']')), "kept");
}

TEST(MessagesAnswerTest, AnIdThatHidesItsEndIsLeftOut) {
  const std::string answer = kept(
      R"({"type":"message","id":"a\"b","role":"assistant","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"})");
  EXPECT_THAT(answer, StartsWith(R"({"id":"","type":"message",)"));
  EXPECT_TRUE(messages_protocol().replay(answer, {}));
}

TEST(MessagesAnswerTest, KnowsItsOwnFromOthers) {
  JsonReader reader;
  for (const char* other :
       {"", "{", R"({"id":")", R"({"id":"x")", R"({"id":"x","object":"chat.completion","created":1,"choices":[]})",
        R"({"type":"message","id":"x"})", R"({"id":"resp_1","object":"response"})"}) {
    EXPECT_FALSE(messages_protocol().owns(other)) << other;
    EXPECT_FALSE(messages_protocol().replay(other, {})) << other;
    EXPECT_FALSE(messages_protocol().replay_stream(reader, other, {})) << other;
    EXPECT_FALSE(messages_protocol().to_answer(reader, other)) << other;
  }
}

TEST(MessagesStreamTest, AReplayedStreamIsTheKeptAnswerAgain) {
  for (const std::string& message : {kText, kTools, kCited}) {
    const std::string answer = kept(message);
    const auto again = finish(events_of(replayed(answer)));
    ASSERT_TRUE(std::holds_alternative<Kept>(again)) << to_string(std::get<NotKept>(again).reason);
    EXPECT_EQ(less_id(std::get<Kept>(again).answer), less_id(answer));
    EXPECT_EQ(std::get<Kept>(again).tools, std::get<Kept>(keep(message)).tools);
  }
}

TEST(MessagesStreamTest, HasTheEventsInTheirOrder) {
  std::string order;
  for (const auto& [name, data] : events_of(replayed(kept(kTools)))) {
    EXPECT_THAT(data, StartsWith(R"({"type":")" + name + '"'));
    JsonReader reader;
    EXPECT_TRUE(reader.read_copy(data)) << data;
    if (!order.ends_with(name + " ")) order.append(name).append(" ");
  }
  const std::string block = "content_block_start content_block_delta content_block_stop ";
  EXPECT_EQ(order, "message_start " + block + block + block + block + "message_delta message_stop ");
  const Events events = events_of(replayed(kept(kTools)));
  EXPECT_THAT(
      events.front().second,
      HasSubstr(R"("content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":2,"output_tokens":1)"));
  EXPECT_THAT(events[1].second,
              HasSubstr(R"("index":0,"content_block":{"type":"thinking","thinking":"","signature":""})"));
  EXPECT_THAT(
      events[events.size() - 2].second,
      HasSubstr(
          R"("delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":9,"input_tokens":2)"));
  EXPECT_EQ(events.back().second, R"({"type":"message_stop"})");
}

TEST(MessagesStreamTest, CutsLongTextsAtWords) {
  std::string words;
  for (int i = 0; i < 400; ++i) words.append("word" + std::to_string(i) + " ");
  const std::string answer =
      kept(R"({"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":")" + words +
           R"("}],"stop_reason":"end_turn"})");
  const Events events = events_of(replayed(answer));
  EXPECT_GT(events.size(), 8u);
  EXPECT_THAT(events.front().second, HasSubstr(R"("usage":{"input_tokens":0,"output_tokens":0})"));  // None was kept.
}

// As the API sends it: pings between, citations within, the input of a call in pieces.
const Events kLive{
    {"message_start",
     R"({"type":"message_start","message":{"model":"claude","id":"msg_9","type":"message","role":"assistant","content":[],)"
     R"("stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1,"service_tier":"standard"}}})"},
    {"content_block_start",
     R"({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}})"},
    {"ping", R"({"type": "ping"})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"."}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"c2ln"}})"},
    {"content_block_stop", R"({"type":"content_block_stop","index":0})"},
    {"content_block_start",
     R"({"type":"content_block_start","index":1,"content_block":{"citations":[],"type":"text","text":""}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"a"}}})"},
    {"content_block_delta", R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"One "}})"},
    {"content_block_delta", R"({"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"two"}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"b"}}})"},
    {"content_block_stop", R"({"type":"content_block_stop","index":1})"},
    {"content_block_start",
     R"({"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"toolu_1","name":"f","input":{}}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\": [1"}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":", 2]}"}})"},
    {"content_block_stop", R"({"type":"content_block_stop","index":2})"},
    {"content_block_start",
     R"({"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"toolu_2","name":"g","input":{}}})"},
    {"content_block_delta",
     R"({"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":""}})"},
    {"content_block_stop", R"({"type":"content_block_stop","index":3})"},
    {"message_delta",
     R"({"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":null,"output_tokens":40}})"},
    {"message_stop", R"({"type":"message_stop"})"},
};
const std::string kLiveWhole =
    R"({"model":"claude","id":"msg_9","type":"message","role":"assistant","content":[{"type":"thinking","thinking":"Hm.","signature":"c2ln"},)"
    R"({"citations":[{"cited_text":"a"},{"cited_text":"b"}],"type":"text","text":"One two"},{"type":"tool_use","id":"toolu_1","name":"f",)"
    R"("input":{"a":[1,2]}},{"type":"tool_use","id":"toolu_2","name":"g","input":{}}],"stop_reason":"tool_use","stop_sequence":null,)"
    R"("usage":{"input_tokens":7,"output_tokens":40,"service_tier":"standard"}})";

TEST(MessagesStreamTest, AStreamIsKeptAsTheWholeAnswerIs) {
  const auto streamed = finish(kLive);
  ASSERT_TRUE(std::holds_alternative<Kept>(streamed)) << to_string(std::get<NotKept>(streamed).reason);
  EXPECT_EQ(std::get<Kept>(streamed).answer, kept(kLiveWhole));
  EXPECT_THAT(std::get<Kept>(streamed).tools, ElementsAre("f", "g"));
}

TEST(MessagesStreamTest, SaysWhenItIsDoneAndWhenAllIsThere) {
  for (std::size_t count = 0; count <= kLive.size(); ++count) {
    const Events part(kLive.begin(), kLive.begin() + static_cast<std::ptrdiff_t>(count));
    EXPECT_EQ(assemble(part)->done(), count == kLive.size());
    EXPECT_EQ(assemble(part)->ended(), count + 1 >= kLive.size()) << count;
    if (count < kLive.size()) EXPECT_EQ(fault_of(part), "incomplete");
  }
}

TEST(MessagesStreamTest, GivesUpOnWhatItDoesNotUnderstand) {
  const auto without = [](std::size_t at) {
    Events events = kLive;
    events.erase(events.begin() + static_cast<std::ptrdiff_t>(at));
    return events;
  };
  for (std::size_t at = 0; at < kLive.size(); ++at) {
    const std::string& name = kLive[at].first;
    if (name != "ping" && name != "content_block_delta") EXPECT_NE(fault_of(without(at)), "kept") << at;
  }
  EXPECT_EQ(fault_of(without(15)), "tool_calls");  // Half an input.
  const auto fault_with = [](std::size_t at, std::string name, std::string data) {
    return fault_of(with(kLive, at, {name, data}));
  };
  EXPECT_EQ(fault_with(4, "error", R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})"),
            "error_inside");
  EXPECT_EQ(fault_with(4, "news", R"({"type":"news"})"), "unknown_event");
  EXPECT_EQ(fault_with(4, "content_block_delta",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}})"),
            "unknown_delta");
  EXPECT_EQ(fault_with(4, "content_block_delta",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"news","news":"a"}})"),
            "unknown_delta");
  EXPECT_EQ(fault_with(4, "content_block_delta", R"({"type":"content_block_delta","index":0,"delta":[]})"),
            "unknown_delta");
  EXPECT_EQ(fault_with(4, "content_block_delta",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":1}})"),
            "unknown_delta");
  EXPECT_EQ(fault_with(4, "content_block_delta",
                       R"({"type":"content_block_delta","index":9,"delta":{"type":"thinking_delta","thinking":"a"}})"),
            "not_a_message");
  EXPECT_EQ(fault_with(8, "content_block_delta",
                       R"({"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"a"}})"),
            "not_a_message");
  EXPECT_EQ(fault_with(4, "content_block_start", R"({"type":"content_block_start","index":-1,"content_block":{}})"),
            "not_a_message");
  EXPECT_EQ(fault_with(4, "", "{"), "not_json");
  EXPECT_EQ(fault_with(4, "", "[]"), "not_json");
  EXPECT_EQ(fault_with(4, "", "{}"), "unknown_event");
  EXPECT_EQ(fault_with(kLive.size(), "message_start", kLive[0].second), "after_done");
  EXPECT_EQ(fault_with(kLive.size(), "ping", R"({"type":"ping"})"), "kept");
  // By its name alone, where the data leave the type out.
  EXPECT_EQ(fault_with(4, "ping", "{}"), "kept");

  const auto broken = assemble(with(kLive, 4, {"error", R"({"type":"error"})"}));
  EXPECT_FALSE(broken->ended());
}

TEST(MessagesStreamTest, EmptyValuesOverwriteNothing) {
  Events events = kLive;
  events.insert(events.end() - 1, {"message_delta", R"({"type":"message_delta","delta":{"stop_reason":null,"stop_sequence":""},"usage":{"input_tokens":0,"output_tokens":0}})"});
  const auto streamed = finish(events);
  ASSERT_TRUE(std::holds_alternative<Kept>(streamed)) << to_string(std::get<NotKept>(streamed).reason);
  EXPECT_EQ(canonical(std::get<Kept>(streamed).answer), canonical(std::string(kept(kLiveWhole)).replace(kept(kLiveWhole).find(R"("stop_sequence":null)"), 20, R"("stop_sequence":"")")));
}

TEST(MessagesStreamTest, TheEndOfOtherApisBehindItsOwnHarmsNothing) {
  EXPECT_EQ(fault_of(with(kLive, kLive.size(), {"", "[DONE]"})), "kept");
  EXPECT_EQ(fault_of(with(kLive, kLive.size() - 1, {"", "[DONE]"})), "kept");
}

TEST(MessagesStreamTest, NamesTheFieldThatKeepsItFromBeingKept) {
  const auto field = [](const Events& events) { return std::get<NotKept>(finish(events)).field; };
  Events events = kLive;
  events.pop_back();
  EXPECT_EQ(field(events), "message_stop");
  events = with(kLive, 4, {"content_block_delta", R"({"type":"content_block_delta","index":0,"delta":{"type":"news","news":"a"}})"});
  EXPECT_EQ(field(events), "content_block_delta.news");
  events = kLive;
  events[events.size() - 2].second = R"({"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":4}})";
  EXPECT_EQ(field(events), "stop_reason");
  EXPECT_EQ(std::get<NotKept>(keep(R"({"id":"m","type":"message","role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"t","name":"f","input":"{}"}],"stop_reason":"tool_use"})")).field,
            "content[1].input");
}

TEST(MessagesStreamTest, OneThatSaysNoUsageIsNotKept) {
  Events events = kLive;
  events[0].second = R"({"type":"message_start","message":{"id":"msg_9","type":"message","role":"assistant","content":[]}})";
  events[events.size() - 2].second = R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})";
  EXPECT_EQ(fault_of(events), "no_usage");
}

TEST(MessagesStreamTest, ARefusalIsNotKept) {
  Events events = kLive;
  events[events.size() - 2].second =
      R"({"type":"message_delta","delta":{"stop_reason":"refusal","stop_sequence":null},"usage":{"output_tokens":4}})";
  EXPECT_EQ(fault_of(events), "finish_reason");
}

TEST(MessagesConversionTest, SaysItForOtherApis) {
  JsonReader reader;
  const auto text = messages_protocol().to_answer(reader, kept(kText));
  ASSERT_TRUE(text);
  EXPECT_EQ(text->id, "msg_1");
  EXPECT_EQ(text->model, "claude");
  EXPECT_THAT(text->text, StartsWith("The sky"));
  ASSERT_TRUE(text->usage);
  EXPECT_EQ(text->usage->input_tokens, 20);  // Those of the prompt cache are counted apart here.
  EXPECT_EQ(text->usage->cached_input_tokens, 5);
  EXPECT_EQ(text->usage->output_tokens, 31);

  const auto tools = messages_protocol().to_answer(reader, kept(kTools));
  ASSERT_TRUE(tools);
  EXPECT_EQ(tools->reasoning, "Which city? Oslo.");
  EXPECT_EQ(tools->text, "Let me see.");
  ASSERT_EQ(tools->tool_calls.size(), 2u);
  EXPECT_EQ(tools->tool_calls[0].id, "toolu_1");
  EXPECT_EQ(tools->tool_calls[0].arguments, R"({"city":"Oslo","days":[1,2]})");
  EXPECT_EQ(tools->tool_calls[1].arguments, "{}");
  EXPECT_EQ(tools->usage->reasoning_tokens, 4);

  EXPECT_FALSE(messages_protocol().to_answer(reader, kept(kCited)));
  const auto message = [](const std::string& content) {
    return R"({"id":"m","type":"message","role":"assistant","content":[)" + content + R"(],"stop_reason":"end_turn"})";
  };
  const std::string said = R"({"type":"text","text":"a"})",
                    call = R"({"type":"tool_use","id":"t","name":"f","input":{}})";
  EXPECT_EQ(messages_protocol().to_answer(reader, message(said + "," + said))->text, "aa");
  EXPECT_FALSE(messages_protocol().to_answer(reader, message(said + R"(,{"type":"redacted_thinking","data":"x"})")));
  EXPECT_FALSE(messages_protocol().to_answer(reader, message(call + "," + said)));
  EXPECT_FALSE(
      messages_protocol().to_answer(reader, message(R"({"type":"text","text":"a","citations":[{"cited_text":"b"}]})")));
  EXPECT_FALSE(messages_protocol().to_answer(
      reader,
      message(R"({"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"code_execution_20250825"}})")));
  EXPECT_TRUE(messages_protocol().to_answer(
      reader, message(R"({"type":"tool_use","id":"t","name":"f","input":{},"caller":{"type":"direct"}})")));
}

TEST(MessagesConversionTest, TakesAnswersOfOtherApis) {
  JsonReader reader;
  Answer answer;
  answer.model = "gpt";
  answer.text = "Let me \"see\".";
  answer.reasoning = "Hm.";
  answer.tool_calls = {{"call_1", "weather", R"({ "city" : "Oslo" })"}, {"not a fit", "now", ""}};
  answer.usage = Usage{20, 9, 5, 4};
  const auto message = messages_protocol().from_answer(reader, answer, "{}");
  ASSERT_TRUE(message);
  EXPECT_TRUE(messages_protocol().owns(*message));
  EXPECT_EQ(kept(*message), *message);
  EXPECT_THAT(*message, StartsWith(R"({"id":"msg_)"));
  EXPECT_THAT(
      *message,
      HasSubstr(
          R"("content":[{"type":"text","text":"Let me \"see\"."},{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Oslo"}},)"
          R"({"type":"tool_use","id":"toolu_)"));
  EXPECT_THAT(
      *message,
      HasSubstr(
          R"("name":"now","input":{}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":15,)"
          R"("cache_creation_input_tokens":0,"cache_read_input_tokens":5,"output_tokens":9,"output_tokens_details":{"thinking_tokens":4}}})"));

  const auto back = messages_protocol().to_answer(reader, *message);
  ASSERT_TRUE(back);
  EXPECT_EQ(back->text, answer.text);
  EXPECT_EQ(back->usage->input_tokens, 20);
  EXPECT_EQ(back->usage->cached_input_tokens, 5);

  answer.tool_calls.clear();
  EXPECT_THAT(messages_protocol().from_answer(reader, answer, {}).value_or(""),
              HasSubstr(R"("stop_reason":"end_turn")"));
  for (const char* arguments : {"[]", "{", "null", "\"x\""}) {
    answer.tool_calls = {{"call_1", "f", arguments}};
    EXPECT_FALSE(messages_protocol().from_answer(reader, answer, {})) << arguments;
  }
  answer.tool_calls.clear();
  answer.refusal = "No.";
  EXPECT_FALSE(messages_protocol().from_answer(reader, answer, {}));
  EXPECT_FALSE(messages_protocol().from_answer(reader, Answer(), {}));
}

TEST(MessagesConversionTest, GoesToChatAndBack) {
  JsonReader reader;
  const auto by_chat = kept_for(chat_protocol(), reader, kept(kTools), "{}");
  ASSERT_TRUE(by_chat);
  EXPECT_TRUE(chat_protocol().owns(*by_chat));
  EXPECT_FALSE(messages_protocol().owns(*by_chat));
  const auto back = kept_for(messages_protocol(), reader, *by_chat, "{}");
  ASSERT_TRUE(back);
  EXPECT_THAT(*back,
              HasSubstr(R"("content":[{"type":"text","text":"Let me see."},{"type":"tool_use","id":"toolu_1",)"));
  EXPECT_THAT(*back, HasSubstr(R"("input":{"city":"Oslo","days":[1,2]}},)"));
  EXPECT_THAT(*back, HasSubstr(R"("stop_reason":"tool_use")"));
  EXPECT_EQ(owner_of(*back), &messages_protocol());
}

TEST(MessagesErrorTest, SpeaksTheApisOwnForm) {
  const Protocol& api = messages_protocol();
  EXPECT_EQ(api.error_body(400, "a \"b\"", "model", ""),
            R"({"type":"error","error":{"type":"invalid_request_error","message":"a \"b\""}})");
  EXPECT_EQ(api.error_event(502, "a", "upstream_cut"),
            "event: error\ndata: "
            "{\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"a\",\"code\":\"upstream_cut\"}}\n\n");
  const std::pair<int, const char*> types[] = {
      {401, "authentication_error"}, {403, "permission_error"}, {404, "not_found_error"},
      {413, "request_too_large"},    {429, "rate_limit_error"}, {500, "api_error"},
      {503, "overloaded_error"},     {504, "timeout_error"},    {529, "overloaded_error"}};
  for (const auto& [status, type] : types) EXPECT_THAT(api.error_body(status, "a", "", ""), HasSubstr(type));
}

}  // namespace
}  // namespace sosie::protocol
