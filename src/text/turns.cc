#include "text/turns.h"

#include <algorithm>
#include <string>

#include "text/json_text.h"
#include "text/prompt.h"
#include "text/request_json.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

std::string_view string_member(const PythonValue& object, std::string_view key) {
  const PythonValue* value = member(object, key);
  return is_kind(value, Kind::string) ? std::string_view(value->text) : std::string_view();
}

/// Whether somebody other than the asker made this message or item.
bool is_made_before(const PythonValue& message) {
  if (message.kind != Kind::dict) return false;
  const std::string_view role = string_member(message, "role"), type = string_member(message, "type");
  if (role == "assistant" || role == "tool" || role == "function") return true;
  return role.empty() && !type.empty() && type != "message" && !type.starts_with("input_") && type != "text";
}

/// Whether it brings what a tool has found, as the Messages API has it: in the name of the user.
bool brings_tool_result(const PythonValue& message) {
  const PythonValue* content = member(message, "content");
  return is_kind(content, Kind::list) && std::any_of(content->items.begin(), content->items.end(), [](const PythonValue& block) {
           return is_string(member(block, "type"), "tool_result");
         });
}

}  // namespace

Turns read_turns(std::string_view kwargs) {
  const Turns unknown{.has_history = true, .ends_with_user = false};
  const auto request = read_request_json(kwargs);
  if (!request) return unknown;
  Turns turns;
  turns.of_input = request->messages == nullptr;
  const PythonValue* list = turns.of_input ? request->input : request->messages;
  if (!is_kind(list, Kind::list) || list->items.empty()) return turns;
  const PythonValue& last = list->items.back();
  turns.has_history = brings_tool_result(last) || std::any_of(list->items.begin(), list->items.end(), is_made_before);
  if (!turns.has_history) return turns;
  turns.ends_with_user = is_string(member(last, "role"), "user") && !brings_tool_result(last);
  std::string alone = turns.of_input ? R"({"input":[)" : R"({"messages":[)";
  (void)append_json(last, {.non_finite = true}, alone);  // Read from JSON, so it can be written as JSON.
  const auto prompt = prompt_from_kwargs(alone += "]}");
  if (!prompt) return unknown;
  turns.last_bytes = *prompt ? (*prompt)->size() : 0;
  return turns;
}

}  // namespace sosie::text
