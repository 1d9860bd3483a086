#include <algorithm>
#include <initializer_list>
#include <utility>

#include "protocol/messages_answer.h"
#include "protocol/messages_json.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

/// Whether `object` says nothing more than these members: the others are null or empty.
bool says_only(const dom::object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object)
    if (!says_nothing(value) && std::find(known.begin(), known.end(), key) == known.end()) return false;
  return true;
}

/// Whether the model itself called the tool, which is what a call without a caller says.
bool is_direct(const dom::object& call) {
  dom::object caller;
  return call["caller"].get_object().get(caller) != simdjson::SUCCESS || text_in(caller, "type") == "direct";
}

/// False: other APIs have no word for it.
bool take_block(const dom::object& block, Answer& answer) {
  const std::string_view type = text_in(block, "type");
  if (type == "text") {
    // Behind a call there is no place for a text in other APIs.
    if (!says_only(block, {"type", "text"}) || answer.called_tools()) return false;
    answer.text.append(text_in(block, "text"));
    return true;
  }
  if (type == "tool_use") {
    dom::element input;
    if (!says_only(block, {"type", "id", "name", "input", "caller"}) || !is_direct(block) ||
        block["input"].get(input) != simdjson::SUCCESS)
      return false;
    ToolCall& call = answer.tool_calls.emplace_back();
    call.id = text_in(block, "id");
    call.name = text_in(block, "name");
    append_json(call.arguments, input);
    return true;
  }
  if (type == "thinking") {
    const std::string_view thinking = text_in(block, "thinking");
    if (!answer.reasoning.empty() && !thinking.empty()) answer.reasoning.append("\n\n");
    answer.reasoning.append(thinking);
    return true;
  }
  return false;
}

std::int64_t number_in(const dom::object& object, std::string_view key) {
  std::int64_t number = 0;
  static_cast<void>(object[key].get_int64().get(number));
  return std::clamp<std::int64_t>(number, 0, std::int64_t{1} << 53);  // Sums of them fit.
}

std::optional<Usage> usage_of(const dom::object& message) {
  dom::object usage, details;
  if (message["usage"].get_object().get(usage) != simdjson::SUCCESS) return std::nullopt;
  Usage out;
  out.cached_input_tokens = number_in(usage, "cache_read_input_tokens");
  // Here, tokens read from or written to the prompt cache are counted apart.
  out.input_tokens =
      number_in(usage, "input_tokens") + number_in(usage, "cache_creation_input_tokens") + out.cached_input_tokens;
  out.output_tokens = number_in(usage, "output_tokens");
  if (usage["output_tokens_details"].get_object().get(details) == simdjson::SUCCESS)
    out.reasoning_tokens = number_in(details, "thinking_tokens");
  return out;
}

bool fits_as_id(std::string_view id) {
  return !id.empty() && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
}

/// False: the arguments are not a JSON object.
bool append_tool_use(std::string& out, JsonReader& reader, const ToolCall& call) {
  std::string input = "{}";
  if (!call.arguments.empty()) {
    const auto arguments = reader.read_copy(call.arguments);
    if (!arguments || !arguments->is_object()) return false;
    input.clear();
    append_json(input, *arguments);
  }
  ObjectWriter block(out);
  block.text("type", "tool_use").text("id", fits_as_id(call.id) ? call.id : new_id("toolu_"));
  block.text("name", call.name).json("input", input);
  return true;
}

void append_usage(std::string& out, const Usage& usage) {
  ObjectWriter members(out);
  const std::int64_t cached = std::min(usage.cached_input_tokens, usage.input_tokens);
  members.number("input_tokens", usage.input_tokens - cached).number("cache_creation_input_tokens", 0);
  members.number("cache_read_input_tokens", cached).number("output_tokens", usage.output_tokens);
  if (usage.reasoning_tokens <= 0) return;
  ObjectWriter details(members.name("output_tokens_details"));
  details.number("thinking_tokens", usage.reasoning_tokens);
}

}  // namespace

std::optional<Answer> answer_of_message(dom::element message) {
  dom::object members;
  dom::array content;
  dom::element container;
  if (message.get_object().get(members) != simdjson::SUCCESS ||
      members["content"].get_array().get(content) != simdjson::SUCCESS)
    return std::nullopt;
  if (members["container"].get(container) == simdjson::SUCCESS && !container.is_null()) return std::nullopt;
  Answer answer;
  answer.id = text_in(members, "id");
  answer.model = text_in(members, "model");
  answer.usage = usage_of(members);
  for (const dom::element each : content) {
    dom::object block;
    if (each.get_object().get(block) != simdjson::SUCCESS || !take_block(block, answer)) return std::nullopt;
  }
  return answer;
}

std::optional<std::string> message_of_answer(JsonReader& reader, const Answer& answer) {
  if (!answer.refusal.empty()) return std::nullopt;
  if (answer.text.empty() && !answer.called_tools()) return std::nullopt;
  if (!answer.usage) return std::nullopt;  // Clients count on it.
  std::string out;
  {
    ObjectWriter message(out);
    message.text("id", new_id("msg_")).text("type", "message").text("role", "assistant").text("model", answer.model);
    // Reasoning is left out: here it carries the signature of who thought it.
    std::string& content = message.name("content");
    content.push_back('[');
    if (!answer.text.empty()) ObjectWriter(content).text("type", "text").text("text", answer.text);
    for (const ToolCall& call : answer.tool_calls) {
      if (content.back() != '[') content.push_back(',');
      if (call.name.empty() || !append_tool_use(content, reader, call)) return std::nullopt;
    }
    content.push_back(']');
    message.text("stop_reason", answer.called_tools() ? "tool_use" : "end_turn").json("stop_sequence", "null");
    append_usage(message.name("usage"), *answer.usage);
  }
  return out;
}

}  // namespace sosie::protocol::messages
