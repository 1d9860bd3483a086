#include "protocol/messages_request.h"

#include <map>
#include <string>
#include <string_view>

#include "protocol/client_traces.h"
#include "protocol/conversation.h"
#include "protocol/messages_json.h"
#include "protocol/messages_tools.h"
#include "protocol/messages_turns.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

BadRequest must_be(std::string_view key, std::string_view kind) {
  return unreadable("'" + std::string(key) + "' must be " + std::string(kind), std::string(key));
}

bool is_empty(dom::element value) {
  dom::object members;
  return says_nothing(value) || (value.get_object().get(members) == simdjson::SUCCESS && members.size() == 0);
}

void add_own(Scope& scope, std::string_view key, dom::element value) {
  scope.add("messages." + std::string(key), value);
}

std::optional<BadRequest> read_metadata(dom::element value, Scope& scope) {
  dom::object metadata;
  if (value.get_object().get(metadata) != simdjson::SUCCESS) return must_be("metadata", "an object");
  if (has_duplicate_keys(metadata)) return BadRequest{"'metadata' repeats a key", "metadata"};
  std::map<std::string_view, dom::element> others;
  for (const auto& [key, inner] : metadata) {
    if (key == "user_id" && !inner.is_null()) add_user(scope, inner);
    if (key != "user_id" && !inner.is_null()) others.emplace(key, inner);
  }
  if (others.empty()) return std::nullopt;
  std::string rest;
  {
    ObjectWriter writer(rest);
    for (const auto& [key, inner] : others) append_canonical_json(writer.name(key), inner);
  }
  scope.add("messages.metadata", rest);
  return std::nullopt;
}

/// All but the conversation. `value` is not null.
std::optional<BadRequest> read_parameter(std::string_view key, dom::element value, Question& question, Scope& scope) {
  double number = 0;
  if (key == "stream") {
    if (value.get_bool().get(question.stream) != simdjson::SUCCESS) return must_be(key, "true or false");
  } else if (key == "model") {
    std::string_view model;
    if (value.get_string().get(model) != simdjson::SUCCESS) return must_be(key, "a string");
    question.model = model;
    scope.add(key, value);
  } else if (key == "max_tokens") {
    if (!value.is_number()) return must_be(key, "a number");
    add_max_tokens(scope, value);
  } else if (key == "temperature") {
    if (value.get_double().get(number) != simdjson::SUCCESS) return must_be(key, "a number");
    question.traits.temperature = number;
    add_temperature(scope, value);
  } else if (key == "top_p") {
    add_top_p(scope, value);
  } else if (key == "stop_sequences") {
    if (!value.is_array()) return must_be(key, "an array of strings");
    add_stop(scope, value);
  } else if (key == "tools") {
    return read_tools(value, question, scope);
  } else if (key == "metadata") {
    return read_metadata(value, scope);
  } else if (key == "service_tier") {
    if (!is_text(value, "auto")) scope.add(key, value);
  } else if (key == "container") {
    question.traits.hidden_state = true;
    add_own(scope, key, value);
  } else if (key == "mcp_servers" || key == "context_management" || key == "output_config") {
    if (is_empty(value)) return std::nullopt;
    question.traits.hosted_tools = question.traits.hosted_tools || key == "mcp_servers";
    add_own(scope, key, value);
  } else if (key != "cache_control") {
    add_own(scope, key, value);  // thinking, top_k, and what nobody has heard of yet.
  }
  return std::nullopt;
}

}  // namespace

std::optional<BadRequest> read_request(dom::object body, std::string_view without, Question& question, Scope& scope) {
  if (has_duplicate_keys(body)) return BadRequest{"the request body repeats a key", ""};
  std::optional<dom::element> system, messages, tool_choice;
  bool has_model = false, has_limit = false, has_tools = false;
  for (const auto& [key, value] : body) {
    if (value.is_null() || (!without.empty() && key == without))
      continue;  // null asks for the default, as absence does.
    has_model = has_model || key == "model";
    has_limit = has_limit || key == "max_tokens";
    has_tools = has_tools || (key == "tools" && !says_nothing(value));
    if (key == "messages") {
      messages = value;
    } else if (key == "system") {
      system = value;
    } else if (key == "tool_choice") {
      tool_choice = value;
    } else if (auto bad = read_parameter(key, value, question, scope)) {
      return bad;
    }
  }
  if (!has_model) return must_be("model", "a string");
  if (!has_limit) return must_be("max_tokens", "a number");
  if (!messages) return must_be("messages", "an array");
  if (tool_choice)
    if (auto bad = read_tool_choice(*tool_choice, has_tools, scope)) return bad;
  return read_turns(system, *messages, question, scope);
}

}  // namespace sosie::protocol::messages
