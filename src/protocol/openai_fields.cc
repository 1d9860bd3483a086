#include "protocol/openai_fields.h"

#include <cmath>
#include <string>

#include "protocol/client_traces.h"
#include "protocol/conversation.h"
#include "protocol/json.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// 0: not a whole number.
std::int64_t count_of(dom::element value) {
  constexpr double kMost = 1e6;
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS || number != std::floor(number) || std::abs(number) > kMost)
    return 0;
  return static_cast<std::int64_t>(number);
}

}  // namespace

bool is_text(dom::element value, std::string_view wanted) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS && text == wanted;
}

bool is_bool(dom::element value, bool wanted) {
  bool truth = false;
  return value.get_bool().get(truth) == simdjson::SUCCESS && truth == wanted;
}

bool is_number(dom::element value, double wanted) {
  double number = 0;
  return value.get_double().get(number) == simdjson::SUCCESS && number == wanted;
}

bool is_empty(dom::element value) {
  dom::array items;
  dom::object members;
  return (value.get_array().get(items) == simdjson::SUCCESS && items.size() == 0) ||
         (value.get_object().get(members) == simdjson::SUCCESS && members.size() == 0);
}

std::optional<BadRequest> read_stream_field(std::string_view key, dom::element value, Question& question) {
  if (key == "stream") {
    if (value.get_bool().get(question.stream) != simdjson::SUCCESS)
      return unreadable("'stream' must be true or false", "stream");
    return std::nullopt;
  }
  dom::object options;
  if (value.get_object().get(options) != simdjson::SUCCESS)
    return unreadable("'stream_options' must be an object", "stream_options");
  dom::element usage;
  if (options["include_usage"].get(usage) == simdjson::SUCCESS && !usage.is_null() &&
      usage.get_bool().get(question.include_usage) != simdjson::SUCCESS)
    return unreadable("'include_usage' must be true or false", "stream_options");
  return std::nullopt;
}

bool read_common_field(std::string_view key, dom::element value, Question& question, Scope& scope) {
  if (key == "temperature") {
    static_cast<void>(value.get_double().get(question.traits.temperature));
    add_temperature(scope, value);
  } else if (key == "top_p") {
    add_top_p(scope, value);
  } else if (key == "stop") {
    add_stop(scope, value);
  } else if (key == "seed") {
    question.traits.seed = true;
    scope.add(key, value);
  } else if (key == "user") {
    add_user(scope, value);
  } else if (key == "n") {
    question.traits.choices = count_of(value);
    question.needs_own_api = question.needs_own_api || question.traits.choices != 1;
    if (question.traits.choices != 1) scope.add(key, value);
  } else if (key == "presence_penalty" || key == "frequency_penalty") {
    if (!is_number(value, 0)) scope.add(key, value);
  } else if (key == "logit_bias") {
    if (!is_empty(value)) scope.add(key, value);
  } else if (key == "service_tier") {
    if (!is_text(value, "auto")) scope.add(key, value);
  } else {
    // How the upstream may keep what it has read or said changes no answer.
    return key == "store" || key == "prompt_cache_key" || key == "prompt_cache_retention";
  }
  return true;
}

void add_own_field(Scope& scope, std::string_view api, std::string_view key, dom::element value) {
  thread_local std::string name;
  name.assign(api).append(1, '.').append(key);
  scope.add(name, value);
}

std::optional<std::string> arguments_of(const simdjson::dom::object& call) {
  simdjson::dom::element arguments;
  std::string_view said;
  if (call["arguments"].get(arguments) != simdjson::SUCCESS || arguments.is_null()) return "{}";
  if (arguments.get_string().get(said) == simdjson::SUCCESS) return std::string(text::is_blank(said) ? "{}" : said);
  if (!arguments.is_object()) return std::nullopt;
  std::string json;
  append_json(json, arguments);
  return json;
}

}  // namespace sosie::protocol
