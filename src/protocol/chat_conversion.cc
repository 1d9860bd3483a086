#include "protocol/chat_conversion.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "protocol/json.h"
#include "protocol/openai_fields.h"
#include "protocol/protocol.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

bool says_nothing(dom::element value) { return value.is_null() || is_empty(value); }

/// Whether `object` says nothing more than these members.
bool says_only(const dom::object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object)
    if (!says_nothing(value) && std::find(known.begin(), known.end(), key) == known.end()) return false;
  return true;
}

/// False: it is there and no string.
bool take_text(const dom::object& object, std::string_view key, std::string& text) {
  dom::element value;
  std::string_view said;
  if (object[key].get(value) != simdjson::SUCCESS || value.is_null()) return true;
  if (value.get_string().get(said) != simdjson::SUCCESS) return false;
  text = said;
  return true;
}

bool take_call(dom::element value, Answer& answer) {
  dom::object call, function;
  dom::element type;
  ToolCall& taken = answer.tool_calls.emplace_back();
  return value.get_object().get(call) == simdjson::SUCCESS && says_only(call, {"id", "type", "function", "index"}) &&
         call["type"].get(type) == simdjson::SUCCESS && is_text(type, "function") &&
         call["function"].get_object().get(function) == simdjson::SUCCESS &&
         says_only(function, {"name", "arguments"}) && take_text(call, "id", taken.id) &&
         take_text(function, "name", taken.name) && take_text(function, "arguments", taken.arguments) &&
         !taken.name.empty();
}

bool take_message(const dom::object& message, Answer& answer) {
  // Two names for one thing; servers that have both say it twice.
  std::string reasoning;
  if (!says_only(message, {"role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls"}) ||
      !take_text(message, "content", answer.text) || !take_text(message, "refusal", answer.refusal) ||
      !take_text(message, "reasoning_content", answer.reasoning) || !take_text(message, "reasoning", reasoning))
    return false;
  if (answer.reasoning.empty()) answer.reasoning = std::move(reasoning);
  dom::element value;
  dom::array calls;
  if (message["tool_calls"].get(value) != simdjson::SUCCESS || value.is_null()) return true;
  if (value.get_array().get(calls) != simdjson::SUCCESS) return false;
  return std::all_of(calls.begin(), calls.end(), [&](const dom::element call) { return take_call(call, answer); });
}

std::optional<Usage> usage_of(const dom::object& completion) {
  dom::object usage;
  Usage out;
  if (completion["usage"].get_object().get(usage) != simdjson::SUCCESS ||
      usage["prompt_tokens"].get_int64().get(out.input_tokens) != simdjson::SUCCESS ||
      usage["completion_tokens"].get_int64().get(out.output_tokens) != simdjson::SUCCESS)
    return std::nullopt;
  static_cast<void>(usage["prompt_tokens_details"]["cached_tokens"].get_int64().get(out.cached_input_tokens));
  static_cast<void>(usage["completion_tokens_details"]["reasoning_tokens"].get_int64().get(out.reasoning_tokens));
  return out;
}

/// Sources, pictures and the like beside the choices. What only describes how the answer was made may be lost.
bool says_more(const dom::object& completion) {
  for (const auto& [key, value] : completion)
    if (key != "choices" && key != "prompt_filter_results" && value.is_array() && !is_empty(value)) return true;
  return false;
}

void append_text_or_null(std::string& out, std::string_view text) {
  text.empty() ? static_cast<void>(out.append("null")) : append_json_string(out, text);
}

void append_calls(std::string& out, const Answer& answer) {
  char before = '[';
  for (const ToolCall& call : answer.tool_calls) {
    out.push_back(std::exchange(before, ','));
    append_json_string(out.append(R"({"id":)"), call.id);
    append_json_string(out.append(R"(,"type":"function","function":{"name":)"), call.name);
    append_json_string(out.append(R"(,"arguments":)"), call.arguments);
    out.append("}}");
  }
  out.push_back(']');
}

void append_usage(std::string& out, const Usage& usage) {
  append_json_number(out.append(R"({"prompt_tokens":)"), usage.input_tokens);
  append_json_number(out.append(R"(,"completion_tokens":)"), usage.output_tokens);
  append_json_number(out.append(R"(,"total_tokens":)"), usage.input_tokens + usage.output_tokens);
  append_json_number(out.append(R"(,"prompt_tokens_details":{"cached_tokens":)"), usage.cached_input_tokens);
  append_json_number(out.append(R"(},"completion_tokens_details":{"reasoning_tokens":)"), usage.reasoning_tokens);
  out.append("}}");
}

}  // namespace

std::optional<Answer> answer_of_chat(dom::object completion) {
  dom::array choices;
  dom::element first;
  dom::object choice, message;
  dom::element finish;
  if (completion["choices"].get_array().get(choices) != simdjson::SUCCESS || choices.size() != 1 ||
      choices.at(0).get(first) != simdjson::SUCCESS || first.get_object().get(choice) != simdjson::SUCCESS ||
      !says_only(choice,
                 {"index", "message", "finish_reason", "content_filter_results", "stop_reason", "matched_stop"}) ||
      choice["message"].get_object().get(message) != simdjson::SUCCESS ||
      choice["finish_reason"].get(finish) != simdjson::SUCCESS || is_text(finish, "function_call") ||
      says_more(completion))
    return std::nullopt;
  Answer answer;
  if (!take_text(completion, "id", answer.id) || !take_text(completion, "model", answer.model) ||
      !take_message(message, answer))
    return std::nullopt;
  answer.usage = usage_of(completion);
  return answer;
}

std::optional<std::string> chat_of_answer(const Answer& answer) {
  if (answer.text.empty() && answer.refusal.empty() && !answer.called_tools()) return std::nullopt;
  std::string out = R"({"id":")" + new_id("chatcmpl-") + R"(","object":"chat.completion","created":0,"model":)";
  append_json_string(out, answer.model);
  append_text_or_null(out.append(R"(,"choices":[{"index":0,"message":{"role":"assistant","content":)"), answer.text);
  append_text_or_null(out.append(R"(,"refusal":)"), answer.refusal);
  if (!answer.reasoning.empty()) append_json_string(out.append(R"(,"reasoning_content":)"), answer.reasoning);
  if (answer.called_tools()) append_calls(out.append(R"(,"tool_calls":)"), answer);
  out.append(R"(},"logprobs":null,"finish_reason":)")
      .append(answer.called_tools() ? R"("tool_calls"}])" : R"("stop"}])");
  if (answer.usage) append_usage(out.append(R"(,"usage":)"), *answer.usage);
  return out.append("}");
}

}  // namespace sosie::protocol
