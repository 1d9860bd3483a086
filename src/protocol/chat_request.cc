#include "protocol/chat_request.h"

#include <string>

#include "protocol/conversation.h"
#include "protocol/json.h"
#include "protocol/openai_fields.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kApi = "chat";

/// False: of a form that no other API has.
bool add_choice(dom::element value, bool has_tools, Scope& scope) {
  dom::object choice, function;
  std::string_view name;
  if (is_text(value, "auto")) return true;
  if (is_text(value, "none")) {
    if (has_tools) add_tool_choice(scope, ToolChoice::none);
    return true;
  }
  if (is_text(value, "required")) {
    add_tool_choice(scope, ToolChoice::required);
    return true;
  }
  dom::element type;
  if (value.get_object().get(choice) != simdjson::SUCCESS || choice.size() != 2 ||
      choice["type"].get(type) != simdjson::SUCCESS || !is_text(type, "function") ||
      choice["function"].get_object().get(function) != simdjson::SUCCESS || function.size() != 1 ||
      function["name"].get_string().get(name) != simdjson::SUCCESS)
    return false;
  add_tool_choice(scope, ToolChoice::function, name);
  return true;
}

/// False: of a form that no other API has.
bool add_format(dom::element value, Scope& scope) {
  dom::object format, inside;
  std::string_view type, name, description;
  if (value.get_object().get(format) != simdjson::SUCCESS ||
      format["type"].get_string().get(type) != simdjson::SUCCESS || has_duplicate_keys(format))
    return false;
  if (format.size() == 1 && type == "text") return true;
  if (format.size() == 1 && type == "json_object") {
    add_json_object_format(scope);
    return true;
  }
  if (format.size() != 2 || type != "json_schema" ||
      format["json_schema"].get_object().get(inside) != simdjson::SUCCESS || has_duplicate_keys(inside))
    return false;
  std::optional<dom::element> schema;
  bool strict = false;
  for (const auto& [key, member] : inside) {
    if (key == "schema") {
      schema = member;
    } else if (key == "name") {
      if (member.get_string().get(name) != simdjson::SUCCESS) return false;
    } else if (key == "description" && !member.is_null()) {
      if (member.get_string().get(description) != simdjson::SUCCESS) return false;
    } else if (key == "strict" && !member.is_null()) {
      if (member.get_bool().get(strict) != simdjson::SUCCESS) return false;
    } else if (!member.is_null()) {
      return false;
    }
  }
  if (!schema) return false;
  add_json_schema_format(scope, name, *schema, strict, description);
  return true;
}

/// Reads all but the conversation and the tools.
std::optional<BadRequest> read_field(std::string_view key, dom::element value, Question& question, Scope& scope) {
  if (key == "stream" || key == "stream_options") return read_stream_field(key, value, question);
  if (read_common_field(key, value, question, scope)) return std::nullopt;
  if (key == "max_completion_tokens") {
    add_max_tokens(scope, value);
  } else if (key == "reasoning_effort") {
    add_reasoning_effort(scope, value);
  } else if (key == "response_format") {
    if (!add_format(value, scope)) add_own_field(scope, kApi, key, value);
  } else if (key == "verbosity") {
    if (!is_text(value, "medium")) scope.add(key, value);
  } else if (key == "safety_identifier") {
    scope.add(key, value);
  } else if (key == "parallel_tool_calls") {
    if (!is_bool(value, true)) scope.add(key, value);
  } else if (key == "logprobs" || key == "top_logprobs") {
    if (is_bool(value, false) || is_number(value, 0)) return std::nullopt;
    question.traits.logprobs = question.needs_own_api = true;
    scope.add(key, value);
  } else if (key == "metadata") {
    if (!is_empty(value)) add_own_field(scope, kApi, key, value);
  } else if (key == "modalities") {
    dom::array kinds;
    dom::element only;
    const bool is_default = value.get_array().get(kinds) == simdjson::SUCCESS && kinds.size() == 1 &&
                            kinds.at(0).get(only) == simdjson::SUCCESS && is_text(only, "text");
    if (is_default) return std::nullopt;
    question.needs_own_api = true;
    add_own_field(scope, kApi, key, value);
  } else {
    // Sound and sources have no place in other APIs' answers, nor has the older kind of calls.
    if (key == "audio" || key == "web_search_options" || key == "functions" || key == "function_call")
      question.needs_own_api = true;
    if (key == "web_search_options") question.traits.hosted_tools = true;
    add_own_field(scope, kApi, key, value);  // A field that nobody has heard of yet separates, too.
  }
  return std::nullopt;
}

void note_older_functions(dom::element value, Question& question) {
  dom::array functions;
  if (value.get_array().get(functions) != simdjson::SUCCESS) return;
  for (const dom::element function : functions) {
    std::string_view name;
    if (function.is_object() && function["name"].get_string().get(name) == simdjson::SUCCESS)
      question.traits.functions.emplace_back(name);
  }
}

}  // namespace

std::optional<BadRequest> read_chat_request(dom::object body, std::string_view without, Question& question,
                                            Scope& scope) {
  if (has_duplicate_keys(body)) return BadRequest{"the request body repeats a key", ""};
  std::optional<dom::element> messages, tools, tool_choice, max_tokens;
  bool has_model = false, has_newer_limit = false;
  for (const auto& [key, value] : body) {
    if (value.is_null() || (!without.empty() && key == without))
      continue;  // null asks for the default, as absence does.
    if (key == "messages") {
      messages = value;
    } else if (key == "model") {
      std::string_view model;
      has_model = value.get_string().get(model) == simdjson::SUCCESS;
      question.model = model;
      scope.add(key, value);
    } else if (key == "tools") {
      tools = value;
    } else if (key == "tool_choice") {
      tool_choice = value;
    } else if (key == "max_tokens") {
      max_tokens = value;
    } else {
      has_newer_limit = has_newer_limit || key == "max_completion_tokens";
      if (key == "functions") note_older_functions(value, question);
      if (auto bad = read_field(key, value, question, scope)) return bad;
    }
  }
  if (!has_model) return unreadable("'model' must be a string", "model");
  if (!messages) return unreadable("'messages' is missing", "messages");
  // The older name of the limit; beside the newer one nobody knows which holds.
  if (max_tokens)
    has_newer_limit ? add_own_field(scope, kApi, "max_tokens", *max_tokens) : add_max_tokens(scope, *max_tokens);
  const bool has_tools = tools && !is_empty(*tools);
  if (has_tools)
    if (auto bad = read_chat_tools(*tools, question, scope)) return bad;
  if (tool_choice && !add_choice(*tool_choice, has_tools, scope))
    add_own_field(scope, kApi, "tool_choice", *tool_choice);
  return read_chat_messages(*messages, question, scope);
}

}  // namespace sosie::protocol
