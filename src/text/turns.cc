#include "text/turns.h"

#include <nlohmann/json.hpp>
#include <string>

#include "text/prompt.h"

namespace sosie::text {
namespace {

using Json = nlohmann::json;

std::string_view string_member(const Json& object, const char* name) {
  const auto at = object.find(name);
  return at != object.end() && at->is_string() ? std::string_view(at->get_ref<const std::string&>()) : std::string_view();
}

/// Whether somebody other than the asker made this message or item.
bool is_made_before(const Json& message) {
  if (!message.is_object()) return false;
  const std::string_view role = string_member(message, "role"), type = string_member(message, "type");
  if (role == "assistant" || role == "tool" || role == "function") return true;
  return role.empty() && !type.empty() && type != "message" && !type.starts_with("input_") && type != "text";
}

}  // namespace

Turns read_turns(std::string_view kwargs) {
  Turns unknown{.has_history = true, .ends_with_user = false};
  const Json parsed = Json::parse(kwargs, nullptr, false);
  if (!parsed.is_object()) return unknown;
  Turns turns;
  auto list = parsed.find("messages");
  turns.of_input = list == parsed.end() || !list->is_array() || list->empty();
  const char* name = turns.of_input ? "input" : "messages";
  list = parsed.find(name);
  if (list == parsed.end() || !list->is_array() || list->empty()) return turns;
  for (const Json& message : *list) turns.has_history |= is_made_before(message);
  if (!turns.has_history) return turns;
  const Json& last = list->back();
  turns.ends_with_user = last.is_object() && string_member(last, "role") == "user";
  Json alone;
  alone[name].push_back(last);
  const auto prompt = prompt_from_kwargs(alone.dump(-1, ' ', false, Json::error_handler_t::replace));
  if (!prompt) return unknown;
  turns.last_bytes = *prompt ? (*prompt)->size() : 0;
  return turns;
}

}  // namespace sosie::text
