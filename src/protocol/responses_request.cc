#include "protocol/responses_request.h"

#include <algorithm>
#include <string>
#include <vector>

#include "protocol/conversation.h"
#include "protocol/json.h"
#include "protocol/openai_fields.h"
#include "protocol/responses_input.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kLogprobs = "message.output_text.logprobs";
constexpr std::string_view kEncryptedReasoning = "reasoning.encrypted_content";

BadRequest repeats_a_key(std::string_view what) {
  return {"'" + std::string(what) + "' repeats a key", std::string(what)};
}

BadRequest must_be(std::string_view what, std::string_view kind) {
  return unreadable("'" + std::string(what) + "' must be " + std::string(kind), std::string(what));
}

void add_own(Scope& scope, std::string_view key, dom::element value) { add_own_field(scope, "responses", key, value); }

/// Reads all but the conversation and the choice of a tool.
class ParameterReader {
 public:
  ParameterReader(Question& question, Scope& scope) : question_(question), scope_(scope) {}

  std::optional<BadRequest> read(std::string_view key, dom::element value) {
    if (key == "stream" || key == "stream_options") return read_stream_field(key, value, question_);
    if (key == "tools") return read_tools(value);
    if (key == "text") return read_text(value);
    if (key == "reasoning") return read_reasoning(value);
    if (key == "store" && is_bool(value, false)) question_.may_come_back = false;
    if (!read_common_field(key, value, question_, scope_)) read_own_field(key, value);
    return std::nullopt;
  }

 private:
  void read_own_field(std::string_view key, dom::element value) {
    if (key == "max_output_tokens") {
      add_max_tokens(scope_, value);
    } else if (key == "safety_identifier") {
      scope_.add(key, value);
    } else if (key == "parallel_tool_calls") {
      if (!is_bool(value, true)) scope_.add(key, value);
    } else if (key == "background" || key == "conversation" || key == "prompt") {
      if (key == "background" && is_bool(value, false)) return;
      question_.traits.hidden_state = true;
      add_own(scope_, key, value);
    } else if (key == "top_logprobs") {
      if (is_number(value, 0)) return;
      question_.traits.logprobs = question_.needs_own_api = true;
      add_own(scope_, key, value);
    } else if (key == "truncation") {
      if (!is_text(value, "disabled")) add_own(scope_, key, value);
    } else if (key == "client_metadata") {
      return;  // Codex's: its installation, session and turn.
    } else if (key == "include") {
      read_include(value);
    } else if (key == "prompt_cache_options") {
      read_cache_options(value);
    } else if (key == "metadata" || key == "context_management") {
      if (!is_empty(value)) add_own(scope_, key, value);
    } else {
      add_own(scope_, key, value);  // A field that nobody has heard of yet separates, too.
    }
  }

  /// How the upstream may keep the prompt's beginning; but other members ask for another answer, or none.
  void read_cache_options(dom::element value) {
    dom::object members;
    bool only_how = value.get_object().get(members) == simdjson::SUCCESS;
    if (only_how)
      for (const auto& member : members) only_how = only_how && (member.key == "mode" || member.key == "ttl");
    if (!only_how) add_own(scope_, "prompt_cache_options", value);
  }

  std::optional<BadRequest> read_tools(dom::element value) {
    dom::array tools;
    if (value.get_array().get(tools) != simdjson::SUCCESS) return must_be("tools", "an array");
    if (tools.size() > kMostParts) return too_long("tools");
    std::string functions, others;
    for (const dom::element each : tools) {
      dom::object tool;
      std::string_view type;
      if (each.get_object().get(tool) != simdjson::SUCCESS || tool["type"].get_string().get(type) != simdjson::SUCCESS)
        return unreadable("each tool must be an object with a string 'type'", "tools");
      if (has_duplicate_keys(tool)) return BadRequest{"a tool repeats a key", "tools"};
      std::string_view name;
      if ((type == "function" || type == "custom") && tool["name"].get_string().get(name) == simdjson::SUCCESS &&
          !name.empty()) {
        question_.traits.functions.emplace_back(name);
      } else if (type == "function") {
        return unreadable("a function must have a string 'name'", "tools");
      } else {
        question_.traits.hosted_tools = true;
      }
      FunctionTool function;
      if (type == "function" && read_function(tool, function)) {
        append_function_tool(functions, function);
      } else {
        append_canonical_json(others, each);
        others.push_back('\n');
      }
    }
    if (!functions.empty()) scope_.add("tools", functions);
    if (!others.empty()) scope_.add("responses.tools", others);
    return std::nullopt;
  }

  /// False: it says something that other APIs have no word for.
  static bool read_function(const dom::object& tool, FunctionTool& function) {
    function.strict = true;  // Unlike in chat completions.
    for (const auto& [key, value] : tool) {
      bool strict = false;
      if (value.is_null() || key == "type") continue;
      if (key == "name") {
        if (value.get_string().get(function.name) != simdjson::SUCCESS) return false;
      } else if (key == "description") {
        if (value.get_string().get(function.description) != simdjson::SUCCESS) return false;
      } else if (key == "parameters") {
        function.parameters = value;
      } else if (key == "strict" && value.get_bool().get(strict) == simdjson::SUCCESS) {
        function.strict = strict;
      } else if (!is_bool(value, false)) {  // Its other members are flags that are off by default, or say something.
        return false;
      }
    }
    return true;
  }

  std::optional<BadRequest> read_text(dom::element value) {
    dom::object text;
    if (value.get_object().get(text) != simdjson::SUCCESS) return must_be("text", "an object");
    if (has_duplicate_keys(text)) return repeats_a_key("text");
    for (const auto& [key, inner] : text) {
      if (inner.is_null()) continue;
      if (key == "format") {
        if (auto bad = read_format(inner)) return bad;
      } else if (key != "verbosity") {
        scope_.add("text." + std::string(key), inner);
      } else if (!is_text(inner, "medium")) {
        scope_.add("verbosity", inner);
      }
    }
    return std::nullopt;
  }

  std::optional<BadRequest> read_format(dom::element value) {
    dom::object format;
    std::string_view type, name, description;
    dom::element schema;
    if (value.get_object().get(format) != simdjson::SUCCESS ||
        format["type"].get_string().get(type) != simdjson::SUCCESS)
      return must_be("text.format", "an object with a string 'type'");
    if (has_duplicate_keys(format)) return repeats_a_key("text.format");
    if (type == "text" && format.size() == 1) return std::nullopt;
    if (type == "json_object" && format.size() == 1) {
      add_json_object_format(scope_);
      return std::nullopt;
    }
    bool known = type == "json_schema" && format["name"].get_string().get(name) == simdjson::SUCCESS &&
                 format["schema"].get(schema) == simdjson::SUCCESS;
    bool strict = false;
    for (const auto& [key, inner] : format) {
      if (key == "description") {
        known = known && (inner.is_null() || inner.get_string().get(description) == simdjson::SUCCESS);
      } else if (key == "strict") {
        known = known && (inner.is_null() || inner.get_bool().get(strict) == simdjson::SUCCESS);
      } else {
        known = known && (key == "type" || key == "name" || key == "schema");
      }
    }
    if (known) {
      add_json_schema_format(scope_, name, schema, strict, description);
    } else {
      scope_.add("text.format", value);
    }
    return std::nullopt;
  }

  std::optional<BadRequest> read_reasoning(dom::element value) {
    dom::object reasoning;
    if (value.get_object().get(reasoning) != simdjson::SUCCESS) return must_be("reasoning", "an object");
    if (has_duplicate_keys(reasoning)) return repeats_a_key("reasoning");
    for (const auto& [key, inner] : reasoning) {
      if (inner.is_null()) continue;
      if (key == "effort") {
        add_reasoning_effort(scope_, inner);
      } else {
        scope_.add("reasoning." + std::string(key), inner);
      }
    }
    return std::nullopt;
  }

  /// A set: its order says nothing.
  void read_include(dom::element value) {
    dom::array items;
    std::vector<std::string_view> names;
    bool known = value.get_array().get(items) == simdjson::SUCCESS;
    if (known) {
      for (const dom::element item : items) {
        std::string_view name;
        known = known && item.get_string().get(name) == simdjson::SUCCESS;
        names.push_back(name);
      }
    }
    if (!known) return add_own(scope_, "include", value);
    if (names.empty()) return;
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    std::string& part = scope_.open("responses.include");
    for (const std::string_view name : names) {
      append_json_string(part, name);
      question_.traits.logprobs = question_.traits.logprobs || name == kLogprobs;
      question_.needs_own_api = question_.needs_own_api || name == kLogprobs || name == kEncryptedReasoning;
    }
    scope_.close();
  }

  Question& question_;
  Scope& scope_;
};

std::optional<BadRequest> read_tool_choice(dom::element value, bool has_tools, Scope& scope) {
  dom::object choice;
  dom::element type;
  std::string_view name;
  const bool is_object = value.get_object().get(choice) == simdjson::SUCCESS;
  if (is_object && has_duplicate_keys(choice)) return repeats_a_key("tool_choice");
  if (is_text(value, "auto") || (is_text(value, "none") && !has_tools)) {
    add_tool_choice(scope, ToolChoice::automatic);
  } else if (is_text(value, "none")) {
    add_tool_choice(scope, ToolChoice::none);
  } else if (is_text(value, "required")) {
    add_tool_choice(scope, ToolChoice::required);
  } else if (is_object && choice.size() == 2 && choice["name"].get_string().get(name) == simdjson::SUCCESS &&
             choice["type"].get(type) == simdjson::SUCCESS && is_text(type, "function")) {
    add_tool_choice(scope, ToolChoice::function, name);
  } else {
    add_own(scope, "tool_choice", value);
  }
  return std::nullopt;
}

}  // namespace

std::optional<BadRequest> read_responses_request(dom::object body, std::string_view without, Question& question,
                                                 Scope& scope) {
  if (has_duplicate_keys(body)) return BadRequest{"the request body repeats a key", ""};
  question.may_come_back = true;  // The default is to store it.
  ParameterReader parameters(question, scope);
  std::optional<dom::element> instructions, input, tool_choice;
  bool has_template = false, has_context = false;  // The upstream may have a model and an input already.
  bool has_tools = false;
  for (const auto& [key, value] : body) {
    // null asks for the default, as absence does.
    if (value.is_null() || (!without.empty() && key == without)) continue;
    has_template = has_template || key == "prompt";
    has_context = has_context || key == "prompt" || key == "conversation" || key == "previous_response_id";
    has_tools = has_tools || (key == "tools" && !is_empty(value));
    if (key == "model") {
      std::string_view model;
      if (value.get_string().get(model) != simdjson::SUCCESS) return must_be("model", "a string");
      question.model = model;
      scope.add("model", value);
    } else if (key == "input") {
      input = value;
    } else if (key == "instructions") {
      instructions = value;
    } else if (key == "tool_choice") {
      tool_choice = value;
    } else if (auto bad = parameters.read(key, value)) {
      return bad;
    }
  }
  if (question.model.empty() && !has_template) return must_be("model", "a string");
  if (!input && !has_context) return unreadable("'input' is missing", "input");
  if (tool_choice)
    if (auto bad = read_tool_choice(*tool_choice, has_tools, scope)) return bad;
  question.needs_own_api = question.needs_own_api || question.may_come_back;
  return read_responses_input(instructions, input, question, scope);
}

}  // namespace sosie::protocol
