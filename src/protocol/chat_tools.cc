#include <string>

#include "protocol/chat_request.h"
#include "protocol/conversation.h"
#include "protocol/json.h"
#include "protocol/openai_fields.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// False: it says something that other APIs have no word for.
bool read_function(const dom::object& tool, FunctionTool& function) {
  dom::object inside;
  if (tool["function"].get_object().get(inside) != simdjson::SUCCESS || has_duplicate_keys(inside)) return false;
  for (const auto& member : tool)
    if (member.key != "type" && member.key != "function" && member.key != "eager_input_streaming") return false;
  for (const auto& [key, value] : inside) {
    bool strict = false;
    if (value.is_null()) continue;
    if (key == "name") {
      if (value.get_string().get(function.name) != simdjson::SUCCESS) return false;
    } else if (key == "description") {
      if (value.get_string().get(function.description) != simdjson::SUCCESS) return false;
    } else if (key == "parameters") {
      function.parameters = value;
    } else if (key == "strict" && value.get_bool().get(strict) == simdjson::SUCCESS) {
      function.strict = strict;
    } else {
      return false;
    }
  }
  return !function.name.empty();
}

}  // namespace

std::optional<BadRequest> read_chat_tools(dom::element value, Question& question, Scope& scope) {
  dom::array tools;
  if (value.get_array().get(tools) != simdjson::SUCCESS) {
    add_own_field(scope, "chat", "tools", value);
    return std::nullopt;
  }
  if (tools.size() > kMostParts) return too_long("tools");
  std::string functions, others;
  for (const dom::element each : tools) {
    dom::object tool;
    std::string_view type, name;
    if (each.get_object().get(tool) == simdjson::SUCCESS) {
      if (has_duplicate_keys(tool)) return BadRequest{"a tool repeats a key", "tools"};
      static_cast<void>(tool["type"].get_string().get(type));
    }
    if (type == "function" || type == "custom") {
      if (tool[type]["name"].get_string().get(name) == simdjson::SUCCESS) question.traits.functions.emplace_back(name);
    } else {
      question.traits.hosted_tools = true;
    }
    FunctionTool function;
    function.strict = false;
    if (type == "function" && read_function(tool, function)) {
      append_function_tool(functions, function);
    } else {
      append_canonical_json(others, each);
      others.push_back('\n');
    }
  }
  if (!functions.empty()) scope.add("tools", functions);
  if (!others.empty()) scope.add("chat.tools", others);
  return std::nullopt;
}

}  // namespace sosie::protocol
