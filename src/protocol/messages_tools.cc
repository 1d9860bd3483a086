#include "protocol/messages_tools.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/conversation.h"
#include "protocol/messages_json.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

/// Kinds whose schema the model knows, but which the caller runs itself.
bool runs_at_the_caller(std::string_view type) {
  constexpr std::array<std::string_view, 4> kKinds{"bash_", "text_editor_", "memory_", "computer_"};
  return std::any_of(kKinds.begin(), kKinds.end(), [type](std::string_view kind) { return type.starts_with(kind); });
}

bool is_direct_only(dom::element callers) {
  dom::array names;
  return callers.get_array().get(names) == simdjson::SUCCESS && names.size() == 1 &&
         is_text(names.at(0).value_unsafe(), "direct");
}

/// How to cache a tool, and how to stream calls of it: only streaming requests say that.
bool changes_no_answer(std::string_view key) { return key == "cache_control" || key == "eager_input_streaming"; }

/// Whole, less what changes no answer.
void append_other(std::string& others, const dom::object& tool) {
  std::vector<std::pair<std::string_view, dom::element>> members;
  for (const auto& [key, value] : tool)
    if (!changes_no_answer(key) && !value.is_null()) members.emplace_back(key, value);
  std::sort(members.begin(), members.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  others.push_back('{');
  for (const auto& [key, value] : members) {
    append_json_string(others, key);
    others.push_back(':');
    append_canonical_json(others, value);
    others.push_back(',');
  }
  others.append("}\n");
}

std::optional<BadRequest> read_function(const dom::object& tool, Question& question, std::string& functions,
                                        std::string& others) {
  FunctionTool function;
  function.strict = false;
  bool known = true;
  for (const auto& [key, value] : tool) {
    bool strict = false;
    if (value.is_null() || key == "type" || changes_no_answer(key)) continue;
    if (key == "name") {
      static_cast<void>(value.get_string().get(function.name));
    } else if (key == "description" && value.is_string()) {
      function.description = value.get_string().value_unsafe();
    } else if (key == "input_schema") {
      function.parameters = value;
    } else if (key == "strict" && value.get_bool().get(strict) == simdjson::SUCCESS) {
      function.strict = strict;
    } else {
      const bool is_flag = key == "defer_loading";  // Off by default.
      known = known && (says_nothing(value) || (is_flag && is_false(value)) ||
                        (key == "allowed_callers" && is_direct_only(value)));
    }
  }
  if (function.name.empty()) return unreadable("a tool must have a string 'name'", "tools");
  question.traits.functions.emplace_back(function.name);
  append_function_tool(functions, function);
  if (!known) append_other(others, tool);
  return std::nullopt;
}

}  // namespace

std::optional<BadRequest> read_tools(dom::element value, Question& question, Scope& scope) {
  dom::array tools;
  if (value.get_array().get(tools) != simdjson::SUCCESS) return unreadable("'tools' must be an array", "tools");
  if (tools.size() > kMostParts) return too_long("tools");
  std::string functions, others;
  for (const dom::element each : tools) {
    dom::object tool;
    dom::element kind;
    if (each.get_object().get(tool) != simdjson::SUCCESS) return unreadable("each tool must be an object", "tools");
    if (has_duplicate_keys(tool)) return BadRequest{"a tool repeats a key", "tools"};
    std::string_view type = "custom";
    if (tool["type"].get(kind) == simdjson::SUCCESS && !kind.is_null() &&
        kind.get_string().get(type) != simdjson::SUCCESS)
      return unreadable("a tool's 'type' must be a string", "tools");
    if (type == "custom") {
      if (auto bad = read_function(tool, question, functions, others)) return bad;
      continue;
    }
    append_other(others, tool);
    const std::string_view name = text_in(tool, "name");
    // A set of tools without a name of its own goes by names that are not in the request.
    if (!name.empty() && runs_at_the_caller(type)) {
      question.traits.functions.emplace_back(name);
    } else {
      question.traits.hosted_tools = true;
    }
  }
  if (!functions.empty()) scope.add("tools", functions);
  if (!others.empty()) scope.add("messages.tools", others);
  return std::nullopt;
}

std::optional<BadRequest> read_tool_choice(dom::element value, bool has_tools, Scope& scope) {
  dom::object choice;
  if (value.get_object().get(choice) != simdjson::SUCCESS || text_in(choice, "type").empty())
    return unreadable("'tool_choice' must be an object with a string 'type'", "tool_choice");
  if (has_duplicate_keys(choice)) return BadRequest{"'tool_choice' repeats a key", "tool_choice"};
  const std::string_view type = text_in(choice, "type"), name = text_in(choice, "name");
  bool known = type == "auto" || type == "any" || type == "none" || (type == "tool" && !name.empty());
  bool one_at_a_time = false;
  for (const auto& [key, inner] : choice) {
    if (inner.is_null() || key == "type" || (key == "name" && type == "tool")) continue;
    known = known && key == "disable_parallel_tool_use" && inner.get_bool().get(one_at_a_time) == simdjson::SUCCESS;
  }
  if (!known) {
    scope.add("messages.tool_choice", value);
    return std::nullopt;
  }
  if (type == "any") add_tool_choice(scope, ToolChoice::required);
  if (type == "none" && has_tools) add_tool_choice(scope, ToolChoice::none);
  if (type == "tool") add_tool_choice(scope, ToolChoice::function, name);
  if (one_at_a_time) scope.add("parallel_tool_calls", std::string_view("false"));
  return std::nullopt;
}

}  // namespace sosie::protocol::messages
