#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "protocol/chat_request.h"
#include "protocol/conversation.h"
#include "protocol/json.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

std::string_view string_of(const dom::object& object, std::string_view key) {
  std::string_view text;
  static_cast<void>(object[key].get_string().get(text));
  return text;
}

/// Unset: no role that is known.
std::optional<Role> role_of(std::string_view name) {
  if (name == "user") return Role::user;
  if (name == "assistant") return Role::assistant;
  if (name == "system" || name == "developer") return Role::system;
  if (name == "tool") return Role::tool;
  return std::nullopt;
}

/// Whatever else a text part says (annotations, say) is no part of the text; but how to keep it is no part of the
/// question.
void write_further_members(const dom::object& part, Turns& turns) {
  std::vector<std::pair<std::string_view, dom::element>> others;
  for (const auto& [key, value] : part) {
    if (key == "type" || key == "text" || value.is_null() || is_empty(value)) continue;
    if (key != "cache_control" || !value.is_object()) others.emplace_back(key, value);
  }
  std::sort(others.begin(), others.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [key, value] : others) turns.other(key, value);
}

/// `strict`: of the turn that is asked, whose text must be found. What is odd in others is for the upstream to judge.
std::optional<BadRequest> write_parts(const dom::array& parts, bool strict, Turns& turns) {
  if (parts.size() > kMostParts) return too_long("messages");
  for (const dom::element each : parts) {
    dom::object part;
    dom::element type;
    std::string_view kind, text;
    const bool is_object = each.get_object().get(part) == simdjson::SUCCESS;
    const bool has_kind =
        is_object && part["type"].get(type) == simdjson::SUCCESS && type.get_string().get(kind) == simdjson::SUCCESS;
    if (strict && !has_kind) return unreadable("each content part must be an object with a string 'type'", "messages");
    if (is_object && has_duplicate_keys(part)) return BadRequest{"a content part repeats a key", "messages"};
    const bool has_text = kind == "text" && part["text"].get_string().get(text) == simdjson::SUCCESS;
    if (strict && kind == "text" && !has_text)
      return unreadable("a content part of type 'text' must have a string 'text'", "messages");
    if (!has_text) {
      turns.other(kind, each);
      continue;
    }
    turns.text(text);
    if (part.size() > 2) write_further_members(part, turns);
  }
  return std::nullopt;
}

std::optional<BadRequest> write_content(const dom::object& message, bool strict, Turns& turns) {
  dom::element content;
  std::string_view text;
  dom::array parts;
  if (message["content"].get(content) != simdjson::SUCCESS || content.is_null()) return std::nullopt;
  if (content.get_string().get(text) == simdjson::SUCCESS) {
    turns.text(text);
    return std::nullopt;
  }
  if (content.get_array().get(parts) == simdjson::SUCCESS) return write_parts(parts, strict, turns);
  if (strict) return unreadable("'content' must be a string or an array of parts", "messages");
  turns.other({}, content);
  return std::nullopt;
}

/// False: a call of another kind.
bool write_function_call(dom::element value, Turns& turns) {
  dom::object call, function;
  std::string_view id, type = "function", name, arguments;
  if (value.get_object().get(call) != simdjson::SUCCESS || has_duplicate_keys(call)) return false;
  for (const auto& [key, member] : call) {
    if (key == "index") continue;  // Of a stream's piece, sent back as it came.
    const bool known = key == "id"         ? member.get_string().get(id) == simdjson::SUCCESS
                       : key == "type"     ? member.get_string().get(type) == simdjson::SUCCESS
                       : key == "function" ? member.get_object().get(function) == simdjson::SUCCESS
                                           : false;
    if (!known) return false;
  }
  if (type != "function" || call["function"].error() != simdjson::SUCCESS || function.size() != 2 ||
      function["name"].get_string().get(name) != simdjson::SUCCESS ||
      function["arguments"].get_string().get(arguments) != simdjson::SUCCESS)
    return false;
  turns.tool_call(id, name, arguments);
  return true;
}

void write_tool_calls(const dom::object& message, Turns& turns) {
  dom::element value;
  dom::array calls;
  if (message["tool_calls"].get(value) != simdjson::SUCCESS || value.is_null()) return;
  if (value.get_array().get(calls) != simdjson::SUCCESS) return turns.field("tool_calls", value);
  for (const dom::element call : calls)
    if (!write_function_call(call, turns)) turns.other("tool_call", call);
}

/// `prompt`: set for the last turn of the user's, whose text goes there.
std::optional<BadRequest> write_message(const dom::object& message, std::string* prompt, Turns& turns) {
  const std::string_view role_name = string_of(message, "role"), name = string_of(message, "name");
  const auto role = role_of(role_name);
  if (prompt != nullptr) {
    turns.begin_asked(*prompt, name);
  } else {
    turns.begin(role.value_or(Role::system), name);
  }
  if (role == Role::tool) turns.tool_result(string_of(message, "tool_call_id"));
  if (auto bad = write_content(message, prompt != nullptr, turns)) return bad;
  write_tool_calls(message, turns);
  for (const auto& [key, value] : message) {
    const bool written = key == "content" || key == "tool_calls" || (key == "role" && role) ||
                         (key == "name" && value.is_string()) ||
                         (key == "tool_call_id" && role == Role::tool && value.is_string());
    if (!written && !value.is_null() && !is_empty(value)) turns.field(key, value);
  }
  turns.end();
  return std::nullopt;
}

void close_or_drop(Scope& scope, bool empty) { empty ? scope.drop() : scope.close(); }

}  // namespace

std::optional<BadRequest> read_chat_messages(dom::element value, Question& question, Scope& scope) {
  dom::array messages;
  if (value.get_array().get(messages) != simdjson::SUCCESS)
    return unreadable("'messages' must be an array", "messages");
  if (messages.size() > kMostParts) return too_long("messages");
  // The array's own size has a ceiling, and its elements cannot be found by number: counted once, then read once.
  std::size_t count = 0, asked = 0;  // 0: nobody asked; else the place of the last turn of the user's, from 1.
  for (const dom::element each : messages) {
    dom::object message;
    std::string_view role;
    if (each.get_object().get(message) != simdjson::SUCCESS ||
        message["role"].get_string().get(role) != simdjson::SUCCESS)
      return unreadable("each message must be an object with a string 'role'", "messages");
    if (has_duplicate_keys(message)) return BadRequest{"a message repeats a key", "messages"};
    ++count;
    if (role == "user") asked = count;
  }
  if (count == 0) return unreadable("'messages' must not be empty", "messages");

  question.prompt.clear();
  std::size_t place = 0;
  std::string* out = &scope.open("history");
  std::size_t begin = out->size();
  std::optional<Turns> turns(std::in_place, *out);
  for (const dom::element each : messages) {
    const bool is_asked = ++place == asked;
    if (is_asked) {
      close_or_drop(scope, out->size() == begin);
      out = &scope.open("last_turn");
      begin = out->size();
      turns.emplace(*out);
    }
    if (auto bad = write_message(each.get_object().value_unsafe(), is_asked ? &question.prompt : nullptr, *turns))
      return bad;
  }
  close_or_drop(scope, out->size() == begin);
  question.traits.open_turn = asked != count;
  question.traits.no_text = text::is_blank(question.prompt);
  return std::nullopt;
}

}  // namespace sosie::protocol
