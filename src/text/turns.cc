#include "text/turns.h"

#include <algorithm>
#include <optional>
#include <span>
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

bool is_users(const PythonValue& message) {
  const std::string_view role = string_member(message, "role");
  return !is_made_before(message) && role != "system" && role != "developer" && !brings_tool_result(message);
}

/// The bytes that messages or items have in a prompt by themselves.
std::optional<std::size_t> prompt_bytes(std::span<const PythonValue> messages, bool of_input) {
  std::string alone = of_input ? R"({"input":[)" : R"({"messages":[)";
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (i > 0) alone += ',';
    (void)append_json(messages[i], {.non_finite = true}, alone);  // Read from JSON, so it can be written as JSON.
  }
  const auto prompt = prompt_from_kwargs(alone += "]}");
  if (!prompt) return std::nullopt;
  return *prompt ? (*prompt)->size() : 0;
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
  const std::span<const PythonValue> all(list->items);
  turns.ends_with_user = is_users(all.back());
  turns.has_history = brings_tool_result(all.back()) || std::any_of(all.begin(), all.end(), is_made_before);
  if (all.size() == 1) return turns;
  std::size_t asked = all.size();
  while (asked > 0 && !is_users(all[asked - 1])) --asked;
  if (asked == 0) return turns;
  const auto question = prompt_bytes(all.subspan(asked - 1, 1), turns.of_input), behind = prompt_bytes(all.subspan(asked), turns.of_input);
  if (!question || !behind) return unknown;
  turns.question_bytes = *question;
  turns.behind_bytes = *behind + (turns.of_input && *behind > 0 ? 1 : 0);  // Items are joined by a line end.
  return turns;
}

}  // namespace sosie::text
