#include "protocol/responses_answer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "protocol/chat.h"
#include "protocol/responses.h"

namespace sosie::protocol {
namespace {

constexpr std::string_view kMessageItem =
    R"({"type":"message","id":"msg_1","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[],"logprobs":[],"text":"The capital of France is Paris, a city on the Seine with some two million people in it."}]})";
constexpr std::string_view kCallItem =
    R"({"type":"function_call","id":"fc_1","call_id":"call_1","name":"get_weather","arguments":"{\"city\": \"Paris\"}","status":"completed"})";
constexpr std::string_view kReasoningItem =
    R"({"id":"rs_1","type":"reasoning","summary":[{"type":"summary_text","text":"One looks at a map."}],"encrypted_content":"gAAA"})";

std::string response_with(std::string_view items, std::string_view status = "completed", std::string_view more = "") {
  return R"({"object": "response", "id": "resp_1", "created_at": 1700000000, "status": ")" + std::string(status) +
         R"(", "error": null, "incomplete_details": null, "instructions": null, "model": "gpt-5", "output": [)" +
         std::string(items) +
         R"(], "parallel_tool_calls": true, "temperature": 1.0, "tool_choice": "auto", "tools": [], )" +
         R"("usage": {"input_tokens": 9, "input_tokens_details": {"cached_tokens": 2}, "output_tokens": 7, )" +
         R"("output_tokens_details": {"reasoning_tokens": 3}, "total_tokens": 16}, "metadata": {})" +
         std::string(more) + "}";
}

std::variant<Kept, NotKept> keep(std::string_view body) {
  JsonReader reader;
  return responses_protocol().keep(reader, body, Question());
}

std::string kept_of(std::string_view body) {
  auto kept = keep(body);
  EXPECT_TRUE(std::holds_alternative<Kept>(kept)) << to_string(std::get<NotKept>(kept).reason);
  return std::holds_alternative<Kept>(kept) ? std::get<Kept>(kept).answer : "";
}

std::string why_not(std::string_view body) {
  const auto kept = keep(body);
  return std::holds_alternative<Kept>(kept) ? "kept" : std::string(to_string(std::get<NotKept>(kept).reason));
}

struct Event {
  std::string name, data;
};

std::vector<Event> events_of(std::string_view stream) {
  std::vector<Event> events;
  while (!stream.empty()) {
    const std::size_t end = stream.find("\n\n");
    if (end == std::string_view::npos) {
      ADD_FAILURE() << "an event is not closed";
      break;
    }
    const std::string_view event = stream.substr(0, end);
    const std::size_t data = event.find("\ndata: ");
    EXPECT_TRUE(event.starts_with("event: "));
    events.push_back({std::string(event.substr(7, data - 7)), std::string(event.substr(data + 7))});
    stream.remove_prefix(end + 2);
  }
  return events;
}

std::variant<Kept, NotKept> assemble(const std::vector<Event>& events) {
  JsonReader reader;
  const auto assembler = responses_protocol().assembler();
  for (const Event& event : events) assembler->add(reader, event.name, event.data);
  return assembler->finish(reader, Question());
}

std::string stream_of(std::string_view kept, std::int64_t created = 5) {
  JsonReader reader;
  return responses_protocol().replay_stream(reader, kept, {.created = created}).value_or("");
}

TEST(ResponsesAnswer, KeepsAWholeResponseWithItsIdFirst) {
  const std::string kept = kept_of(response_with(kMessageItem));
  EXPECT_TRUE(kept.starts_with(R"({"id":"resp_1","object":"response","created_at":1700000000,"status":"completed",)"))
      << kept;
  EXPECT_NE(kept.find(kMessageItem), std::string::npos);
  EXPECT_TRUE(responses_protocol().owns(kept));
}

TEST(ResponsesAnswer, NamesTheToolsThatAreCalled) {
  const auto kept = keep(response_with(
      std::string(kReasoningItem) + "," + std::string(kCallItem) +
      R"(,{"type":"custom_tool_call","id":"ctc_1","call_id":"call_2","name":"run_sql","input":"select 1"})"));
  ASSERT_TRUE(std::holds_alternative<Kept>(kept)) << to_string(std::get<NotKept>(kept).reason);
  EXPECT_EQ(std::get<Kept>(kept).tools, (std::vector<std::string>{"get_weather", "run_sql"}));
}

TEST(ResponsesAnswer, KeepsNothingThatIsNotComplete) {
  EXPECT_EQ(why_not(response_with(kMessageItem, "incomplete")), "status");
  EXPECT_EQ(why_not(response_with(kMessageItem, "queued")), "status");
  EXPECT_EQ(why_not(response_with(kMessageItem, "completed", R"(, "background": true)")), "background");
  EXPECT_EQ(why_not(response_with("")), "empty_answer");
  EXPECT_EQ(why_not(response_with(kReasoningItem)), "empty_answer");
  EXPECT_EQ(why_not(response_with(
                R"({"type":"message","id":"m","role":"assistant","status":"completed","content":[{"type":"output_text","text":" \n"}]})")),
            "empty_answer");
  EXPECT_EQ(
      why_not(response_with(R"({"type":"message","id":"m","role":"assistant","status":"completed","content":[]})")),
      "empty_answer");
  EXPECT_EQ(
      why_not(response_with(
          R"({"type":"message","id":"m","role":"assistant","status":"incomplete","content":[{"type":"output_text","text":"a"}]})")),
      "incomplete_item");
  EXPECT_EQ(why_not(response_with(R"({"type":"function_call","id":"f","call_id":"c","name":"n","arguments":7})")), "tool_calls");
  std::string failed = response_with(kMessageItem);
  failed.replace(failed.find(R"("error": null)"), 13, R"("error": {"code":"server_error"})");
  EXPECT_EQ(why_not(failed), "error_inside");
  std::string cut = response_with(kMessageItem);
  cut.replace(cut.find(R"("incomplete_details": null)"), 26, R"("incomplete_details": {"reason":"max_output_tokens"})");
  EXPECT_EQ(why_not(cut), "incomplete");
}

TEST(ResponsesAnswer, KeepsNothingThatIsNoResponse) {
  for (
      const std::string_view body :
      {"", "null", "[]", "{}", "7", R"({"id":"resp_1"})",
       R"({"id":7,"object":"response","created_at":1,"status":"completed","output":[]})",
       R"({"id":"a","object":"chat.completion","created":1,"choices":[]})",
       R"({"id":"a","object":"response","status":"completed"})",
       R"({"id":"a","object":"response","created_at":"x","status":"completed","output":[]})",
       R"({"id":"a","object":"response","created_at":1,"status":"completed","output":{}})",
       R"({"id":"a","object":"response","created_at":1,"status":"completed","output":[7]})",
       R"({"id":"a","object":"response","created_at":1,"status":"completed","output":[{"type":"message","content":"x"}]})",
       R"({"id":"a","object":"response","created_at":1,"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":7}]}]})",
       R"({"id":"a","id":"b","object":"response","created_at":1,"status":"completed","output":[]})"})
    EXPECT_NE(why_not(body), "kept") << body;
  EXPECT_NE(why_not(response_with(std::string(300, '[') + std::string(300, ']'))), "kept");
}

TEST(ResponsesAnswer, RepeatsTheVeryBytes) {
  const std::string kept = kept_of(response_with(kMessageItem));
  const auto replay = responses_protocol().replay(kept, {.created = 5});
  ASSERT_TRUE(replay);
  EXPECT_EQ(replay->head + std::string(replay->tail), kept);
}

TEST(ResponsesAnswer, OwnsOnlyItsOwn) {
  for (const std::string_view kept :
       {"", "{", R"({"id":")", R"({"id":"a\)", R"({"id":"a","object":"chat.completion","created":1})",
        R"({"id":"a","object":"response","created_at":1)", R"({"object":"response","id":"a","created_at":1,"x":1})"})
    EXPECT_FALSE(responses_protocol().owns(kept)) << kept;
  EXPECT_TRUE(responses_protocol().owns(R"({"id":"a\"","object":"response","created_at":1,"x":1})"));
}

TEST(ResponsesStream, TheWholeStreamIsKeptAsThePlainAnswer) {
  const std::string items =
      std::string(kReasoningItem) + "," + std::string(kMessageItem) + "," + std::string(kCallItem);
  const std::string body = response_with(items);
  const std::vector<Event> events = {
      {"response.created", R"({"type":"response.created","response":)" + response_with("", "in_progress") + "}"},
      {"response.output_text.delta", R"({"type":"response.output_text.delta","delta":"The capital"})"},
      {"response.completed", R"({"type":"response.completed","response":)" + body + "}"},
      {"", "[DONE]"}};
  const auto kept = assemble(events);
  ASSERT_TRUE(std::holds_alternative<Kept>(kept)) << to_string(std::get<NotKept>(kept).reason);
  EXPECT_EQ(std::get<Kept>(kept).answer, kept_of(body));
  EXPECT_EQ(std::get<Kept>(kept).tools, std::vector<std::string>{"get_weather"});
}

TEST(ResponsesStream, KnowsItsEndByTheTypeInTheDataToo) {
  JsonReader reader;
  const auto assembler = responses_protocol().assembler();
  assembler->add(reader, "", R"({"type":"response.created","response":{"id":"resp_1"}})");
  EXPECT_FALSE(assembler->done());
  EXPECT_FALSE(assembler->ended());
  assembler->add(reader, "", R"({"type":"response.completed","response":)" + response_with(kMessageItem) + "}");
  EXPECT_TRUE(assembler->done());
  EXPECT_TRUE(std::holds_alternative<Kept>(assembler->finish(reader, Question())));
}

TEST(ResponsesStream, KeepsNoBrokenStream) {
  const auto why = [](const std::vector<Event>& events) {
    const auto kept = assemble(events);
    return std::holds_alternative<Kept>(kept) ? "kept" : std::string(to_string(std::get<NotKept>(kept).reason));
  };
  const Event created{"response.created", R"({"type":"response.created","response":{"id":"resp_1"}})"};
  const Event completed{"response.completed",
                        R"({"type":"response.completed","response":)" + response_with(kMessageItem) + "}"};
  EXPECT_EQ(why({created, completed}), "kept");
  EXPECT_EQ(why({created}), "incomplete");
  EXPECT_EQ(why({}), "incomplete");
  EXPECT_EQ(why({created, {"", "{\"type\":\"response.out"}, completed}), "not_json");
  EXPECT_EQ(why({created, completed, completed}), "after_done");
  EXPECT_EQ(why({created, {"error", R"({"type":"error","code":"x","message":"y"})"}, completed}), "error_inside");
  EXPECT_EQ(why({created, {"", R"({"error":{"message":"y"}})"}, completed}), "error_inside");
  EXPECT_EQ(why({created, {"response.failed", R"({"type":"response.failed","response":{}})"}}), "status");
  EXPECT_EQ(why({created, {"response.incomplete", R"({"type":"response.incomplete","response":{}})"}}), "status");
  EXPECT_EQ(why({{"response.created", R"({"type":"response.created","response":{"id":"resp_2"}})"}, completed}),
            "other_id");
  EXPECT_EQ(why({created, {"response.completed", R"({"type":"response.completed","response":[]})"}}), "not_a_response");
  EXPECT_EQ(why({created, {"response.completed", R"({"type":"response.completed"})"}}), "not_a_response");
  EXPECT_EQ(
      why({created, {"response.completed", R"({"type":"response.completed","response":)" + response_with("") + "}"}}),
      "empty_answer");
}

Event item_event(std::string_view type, int place, std::string_view item) {
  const std::string name = "response.output_item." + std::string(type);
  return {name, R"({"type":")" + name + R"(","output_index":)" + std::to_string(place) + R"(,"item":)" + std::string(item) + "}"};
}

TEST(ResponsesStream, TakesFromBeforeWhatTheLastEventLeavesOut) {
  const std::string items = std::string(kReasoningItem) + "," + std::string(kMessageItem) + "," + std::string(kCallItem);
  const Event created{"response.created", R"({"type":"response.created","response":)" + response_with("", "in_progress") + "}"};
  std::string bare = response_with("");
  const auto replace = [&bare](std::string_view what, std::string_view by) { bare.replace(bare.find(what), what.size(), by); };
  replace(R"("id": "resp_1")", R"("id": "")");
  replace(R"("created_at": 1700000000)", R"("created_at": 0)");
  replace(R"("model": "gpt-5")", R"("model": "")");
  const Event completed{"response.completed", R"({"type":"response.completed","response":)" + bare + "}"};
  const std::vector<Event> added = {item_event("added", 0, R"({"type":"reasoning"})"), item_event("added", 1, R"({"type":"message"})"), item_event("added", 2, R"({"type":"function_call"})")};
  const std::vector<Event> done = {item_event("done", 0, kReasoningItem), item_event("done", 2, kCallItem), item_event("done", 1, kMessageItem)};
  std::vector<Event> events{created};
  events.insert(events.end(), added.begin(), added.end());
  events.insert(events.end(), done.begin(), done.end());
  events.push_back(completed);
  const auto kept = assemble(events);
  ASSERT_TRUE(std::holds_alternative<Kept>(kept)) << to_string(std::get<NotKept>(kept).reason) << std::get<NotKept>(kept).field;
  EXPECT_EQ(std::get<Kept>(kept).answer, kept_of(response_with(items)));
  // An item that was begun and never came whole.
  for (std::size_t lost = 0; lost < done.size(); ++lost) {
    std::vector<Event> part = events;
    part.erase(part.begin() + static_cast<std::ptrdiff_t>(1 + added.size() + lost));
    const auto result = assemble(part);
    ASSERT_TRUE(std::holds_alternative<NotKept>(result));
    EXPECT_EQ(to_string(std::get<NotKept>(result).reason), "incomplete_item");
    EXPECT_EQ(std::get<NotKept>(result).field, "response.output_item.done");
  }
}

TEST(ResponsesAnswer, NamesTheFieldThatKeepsItFromBeingKept) {
  const auto field = [](std::string_view body) { return std::get<NotKept>(keep(body)).field; };
  EXPECT_EQ(field(response_with(kMessageItem, "queued")), "status");
  EXPECT_EQ(field(response_with(std::string(kMessageItem) + R"(,{"type":"function_call","id":"f","call_id":"c"})")), "output[1].name");
  EXPECT_EQ(field(response_with(R"({"type":"message","content":[{"type":"output_text","text":7}]})")), "output[0].content[0].text");
  EXPECT_EQ(field(""), kWholeAnswer);
}

TEST(ResponsesAnswer, SaysArgumentsAsTheApiDoes) {
  const auto call = [](std::string_view arguments) {
    return response_with(R"({"type":"function_call","id":"fc","call_id":"c","name":"f")" + std::string(arguments) + "}");
  };
  EXPECT_NE(kept_of(call(R"(,"arguments":{"a":[1]})")).find(R"("arguments":"{\"a\":[1]}")"), std::string::npos);
  for (const char* none : {"", R"(,"arguments":null)", R"(,"arguments":"")"})
    EXPECT_NE(kept_of(call(none)).find(R"("arguments":"{}")"), std::string::npos) << none;
  EXPECT_EQ(why_not(call(R"(,"arguments":"{\"a\":1}{\"a\":2}")")), "tool_calls");
}

TEST(ResponsesAnswer, IsOnlyForWhoNeverComesBackWhereTheUpstreamDidNotStoreIt) {
  Question comes_back, leaves;
  comes_back.may_come_back = true;
  JsonReader reader;
  const auto keep_for = [&](const Question& question, std::string_view more = {}) {
    return std::get<Kept>(responses_protocol().keep(reader, response_with(kMessageItem, "completed", more), question)).answer;
  };
  const Protocol& api = responses_protocol();
  EXPECT_EQ(api.misfit(keep_for(comes_back), comes_back), Reason::none);
  EXPECT_EQ(api.misfit(keep_for(comes_back, R"(, "store": true)"), comes_back), Reason::none);
  EXPECT_EQ(api.misfit(keep_for(comes_back, R"(, "store": false)"), comes_back), Reason::not_stored);  // The upstream keeps none.
  EXPECT_EQ(api.misfit(keep_for(leaves), comes_back), Reason::not_stored);
  EXPECT_EQ(api.misfit(keep_for(leaves, R"(, "store": true)"), comes_back), Reason::not_stored);
  for (const Question& maker : {comes_back, leaves}) EXPECT_EQ(api.misfit(keep_for(maker), leaves), Reason::none);
}

TEST(ResponsesStream, ReplayedItIsKeptTheSameAgain) {
  const std::string refusal =
      R"({"type":"message","id":"msg_2","status":"completed","role":"assistant","content":[{"type":"refusal","refusal":"No, I would rather not do that."}]})";
  const std::string cited =
      R"({"type":"message","id":"msg_3","status":"completed","role":"assistant","content":[{"type":"output_text","annotations":[{"type":"url_citation","url":"https://example.org","start_index":0,"end_index":2,"title":"x"}],"logprobs":[{"token":"Hi","logprob":-0.5,"bytes":[72,105],"top_logprobs":[]}],"text":"Hi"}]})";
  const std::string thought =
      R"({"id":"rs_2","type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"A thought of some length, in the clear."}]})";
  const std::string search =
      R"({"id":"ws_1","type":"web_search_call","status":"completed","action":{"type":"search","query":"q"}})";
  const std::string custom =
      R"({"type":"custom_tool_call","id":"ctc_1","call_id":"call_2","name":"run_sql","input":"select 1","status":"completed"})";
  for (const std::string& items : {std::string(kMessageItem), std::string(kCallItem), refusal, cited, custom,
                                   std::string(kReasoningItem) + "," + thought + "," + search + "," +
                                       std::string(kMessageItem) + "," + std::string(kCallItem)}) {
    const std::string kept = kept_of(response_with(items));
    const auto again = assemble(events_of(stream_of(kept)));
    ASSERT_TRUE(std::holds_alternative<Kept>(again)) << to_string(std::get<NotKept>(again).reason);
    EXPECT_EQ(std::get<Kept>(again).answer, kept);
  }
}

TEST(ResponsesStream, ComesInTheOrderOfTheApi) {
  const std::string items =
      std::string(kReasoningItem) + "," + std::string(kMessageItem) + "," + std::string(kCallItem);
  const std::vector<Event> events = events_of(stream_of(kept_of(response_with(items))));
  std::vector<std::string> names;
  std::string text, arguments;
  JsonReader reader;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto data = reader.read_copy(events[i].data);
    ASSERT_TRUE(data) << events[i].data;
    EXPECT_EQ(data->at_key("sequence_number").get_int64().value(), static_cast<std::int64_t>(i));
    EXPECT_EQ(data->at_key("type").get_string().value(), events[i].name);
    if (events[i].name == "response.output_text.delta") {
      text += data->at_key("delta").get_string().value();
      EXPECT_EQ(data->at_key("item_id").get_string().value(), "msg_1");
      EXPECT_EQ(data->at_key("output_index").get_int64().value(), 1);
      EXPECT_EQ(data->at_key("content_index").get_int64().value(), 0);
    }
    if (events[i].name == "response.function_call_arguments.delta")
      arguments += data->at_key("delta").get_string().value();
    if (names.empty() || names.back() != events[i].name) names.push_back(events[i].name);
  }
  EXPECT_EQ(text, "The capital of France is Paris, a city on the Seine with some two million people in it.");
  EXPECT_EQ(arguments, R"({"city": "Paris"})");
  EXPECT_EQ(names, (std::vector<std::string>{
                       "response.created",
                       "response.in_progress",
                       "response.output_item.added",
                       "response.reasoning_summary_part.added",
                       "response.reasoning_summary_text.delta",
                       "response.reasoning_summary_text.done",
                       "response.reasoning_summary_part.done",
                       "response.output_item.done",
                       "response.output_item.added",
                       "response.content_part.added",
                       "response.output_text.delta",
                       "response.output_text.done",
                       "response.content_part.done",
                       "response.output_item.done",
                       "response.output_item.added",
                       "response.function_call_arguments.delta",
                       "response.function_call_arguments.done",
                       "response.output_item.done",
                       "response.completed",
                   }));
}

TEST(ResponsesConversion, SaysWhatOtherApisCanSay) {
  JsonReader reader;
  const std::string items =
      std::string(kReasoningItem) + "," + std::string(kMessageItem) + "," + std::string(kCallItem);
  const auto answer = responses_protocol().to_answer(reader, kept_of(response_with(items)));
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->id, "resp_1");
  EXPECT_EQ(answer->model, "gpt-5");
  EXPECT_TRUE(answer->text.starts_with("The capital of France"));
  EXPECT_EQ(answer->reasoning, "One looks at a map.");
  ASSERT_EQ(answer->tool_calls.size(), 1u);
  EXPECT_EQ(answer->tool_calls[0].id, "call_1");
  EXPECT_EQ(answer->tool_calls[0].name, "get_weather");
  EXPECT_EQ(answer->tool_calls[0].arguments, R"({"city": "Paris"})");
  ASSERT_TRUE(answer->usage);
  EXPECT_EQ(answer->usage->input_tokens, 9);
  EXPECT_EQ(answer->usage->output_tokens, 7);
  EXPECT_EQ(answer->usage->cached_input_tokens, 2);
  EXPECT_EQ(answer->usage->reasoning_tokens, 3);
}

TEST(ResponsesConversion, SaysNothingWhereSomethingWouldBeLost) {
  JsonReader reader;
  const auto converts = [&](std::string_view items) {
    return responses_protocol().to_answer(reader, kept_of(response_with(items))).has_value();
  };
  EXPECT_TRUE(converts(kMessageItem));
  EXPECT_FALSE(converts(std::string(kMessageItem) + "," + std::string(kMessageItem)));
  EXPECT_FALSE(converts(std::string(kMessageItem) + R"(,{"id":"ws_1","type":"web_search_call","status":"completed"})"));
  EXPECT_FALSE(converts(
      R"({"type":"message","id":"m","status":"completed","role":"assistant","content":[{"type":"output_text","text":"a","annotations":[{"type":"file_path","file_id":"f","index":0}]}]})"));
  EXPECT_FALSE(converts(
      R"({"type":"message","id":"m","status":"completed","role":"assistant","phase":"commentary","content":[{"type":"output_text","text":"a","annotations":[]}]})"));
}

TEST(ResponsesConversion, MakesAWholeResponseThatRepeatsTheRequest) {
  Answer answer;
  answer.id = "chatcmpl-1";
  answer.model = "gpt-5";
  answer.text = "Paris \"on\" the Seine";
  answer.reasoning = "A map";
  answer.tool_calls = {{"call_1", "f", R"({"a":1})"}};
  answer.usage = Usage{10, 5, 4, 3};
  JsonReader reader;
  const auto kept = responses_protocol().from_answer(
      reader, answer,
      R"({"model":"gpt-5","input":"Capital?","instructions":"Be brief","temperature":0.5,"text":{"format":{"type":"json_object"}},"tools":[{"type":"function","name":"f","parameters":{}}],"reasoning":{"effort":"low"},"store":null})");
  ASSERT_TRUE(kept);
  EXPECT_TRUE(responses_protocol().owns(*kept));
  EXPECT_EQ(kept_of(*kept), *kept);  // It is a response like any other.
  for (const std::string_view member :
       {R"("instructions":"Be brief")", R"("temperature":0.5)",
        R"("text":{"verbosity":"medium","format":{"type":"json_object"}})",
        R"("tools":[{"type":"function","name":"f","parameters":{}}])", R"("reasoning":{"summary":null,"effort":"low"})",
        R"("parallel_tool_calls":true)", R"("tool_choice":"auto")", R"("store":false)", R"("total_tokens":15)"})
    EXPECT_NE(kept->find(member), std::string::npos) << member << "\n" << *kept;
  const auto again = responses_protocol().to_answer(reader, *kept);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text, answer.text);
  EXPECT_EQ(again->reasoning, "");  // A made-up item would come back in the next request.
  EXPECT_EQ(again->tool_calls.at(0).arguments, answer.tool_calls[0].arguments);
  EXPECT_EQ(again->usage->cached_input_tokens, 4);
  EXPECT_NE(again->id, answer.id);

  const auto replay = responses_protocol().replay(*kept, {.created = 1234567});
  ASSERT_TRUE(replay);
  EXPECT_TRUE(replay->head.ends_with(R"("created_at":1234567)")) << replay->head;
  const auto streamed = assemble(events_of(stream_of(*kept, 1234567)));
  ASSERT_TRUE(std::holds_alternative<Kept>(streamed));
  EXPECT_EQ(std::get<Kept>(streamed).answer, replay->head + std::string(replay->tail));
}

TEST(ResponsesConversion, GoesToChatAndBackAgain) {
  JsonReader reader;
  const std::string items = std::string(kReasoningItem) + "," + std::string(kMessageItem) + "," + std::string(kCallItem);
  const auto first = responses_protocol().to_answer(reader, kept_of(response_with(items)));
  ASSERT_TRUE(first);
  const auto chat = chat_protocol().from_answer(reader, *first, R"({"model":"gpt-5","messages":[]})");
  ASSERT_TRUE(chat && chat_protocol().owns(*chat) && !responses_protocol().owns(*chat));
  const auto second = chat_protocol().to_answer(reader, *chat);
  ASSERT_TRUE(second);
  const auto back = responses_protocol().from_answer(reader, *second, R"({"model":"gpt-5","input":"Hi"})");
  ASSERT_TRUE(back && responses_protocol().owns(*back) && !chat_protocol().owns(*back));
  const auto last = responses_protocol().to_answer(reader, *back);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->text, first->text);
  EXPECT_EQ(last->model, first->model);
  EXPECT_EQ(last->reasoning, "");
  ASSERT_EQ(last->tool_calls.size(), 1u);
  EXPECT_EQ(last->tool_calls[0].id, first->tool_calls[0].id);
  EXPECT_EQ(last->tool_calls[0].arguments, first->tool_calls[0].arguments);
  ASSERT_TRUE(last->usage);
  EXPECT_EQ(last->usage->input_tokens, 9);
  EXPECT_EQ(last->usage->reasoning_tokens, 3);
}

TEST(ResponsesConversion, MakesNothingOfNothing) {
  JsonReader reader;
  EXPECT_FALSE(responses_protocol().from_answer(reader, Answer(), R"({"model":"m","input":"x"})"));
  Answer answer;
  answer.refusal = "No";
  EXPECT_FALSE(responses_protocol().from_answer(reader, answer, "[]"));
  EXPECT_FALSE(responses_protocol().from_answer(reader, answer, "{"));
  EXPECT_FALSE(responses_protocol().from_answer(reader, answer, R"({"model":"m","input":"x"})"));  // No usage is known.
  answer.usage = Usage{1, 2};
  EXPECT_TRUE(responses_protocol().from_answer(reader, answer, R"({"model":"m","input":"x"})"));
}

TEST(ResponsesErrors, AreOpenAIs) {
  EXPECT_EQ(responses_protocol().error_body(400, "no \"x\"", "input", "bad"),
            R"({"error":{"message":"no \"x\"","type":"invalid_request_error","param":"input","code":"bad"}})");
  EXPECT_EQ(responses_protocol().error_event(502, "broke off", "upstream"),
            "event: error\ndata: {\"type\":\"error\",\"code\":\"upstream\",\"message\":\"broke "
            "off\",\"param\":null,\"sequence_number\":0}\n\n");
}

}  // namespace
}  // namespace sosie::protocol
