#include <optional>
#include <utility>
#include <vector>

#include "protocol/responses_answer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// Whether `object` says nothing more than these members: others are absent, null, false or empty.
bool says_only(const dom::object& object, std::initializer_list<std::string_view> known) {
  for (const auto& [key, value] : object) {
    bool is_known = value.is_null();
    for (const std::string_view each : known) is_known = is_known || each == key;
    dom::array items;
    bool truth = false;
    is_known = is_known || (value.get_array().get(items) == simdjson::SUCCESS && items.size() == 0) ||
               (value.get_bool().get(truth) == simdjson::SUCCESS && !truth);
    if (!is_known) return false;
  }
  return true;
}

std::string_view string_of(const dom::object& object, std::string_view key) {
  std::string_view text = "";
  static_cast<void>(object[key].get_string().get(text));
  return text;
}

/// False: something in it has no like in other APIs, a citation for one.
bool take_message(const dom::object& message, Answer& answer) {
  const std::string_view phase = string_of(message, "phase");
  if (!says_only(message, {"id", "type", "role", "status", "content", "phase"}) ||
      (!phase.empty() && phase != "final_answer"))
    return false;
  dom::array content;
  if (message["content"].get_array().get(content) != simdjson::SUCCESS) return false;
  for (const dom::element each : content) {
    dom::object part;
    if (each.get_object().get(part) != simdjson::SUCCESS) return false;
    const std::string_view type = string_of(part, "type");
    // Who asks for log-probabilities asks in another scope.
    if (type == "output_text" && says_only(part, {"type", "text", "logprobs"})) {
      answer.text.append(string_of(part, "text"));
    } else if (type == "refusal" && says_only(part, {"type", "refusal"})) {
      answer.refusal.append(string_of(part, "refusal"));
    } else {
      return false;
    }
  }
  return true;
}

void append_texts(std::string& out, const dom::object& item, std::string_view member) {
  dom::array parts;
  if (item[member].get_array().get(parts) != simdjson::SUCCESS) return;
  for (const dom::element each : parts) {
    dom::object part;
    if (each.get_object().get(part) != simdjson::SUCCESS) continue;
    if (!out.empty()) out.append("\n\n");
    out.append(string_of(part, "text"));
  }
}

void take_reasoning(const dom::object& item, Answer& answer) {
  std::string text;
  append_texts(text, item, "content");
  if (text.empty()) append_texts(text, item, "summary");
  if (text.empty()) return;
  if (!answer.reasoning.empty()) answer.reasoning.append("\n\n");
  answer.reasoning.append(text);
}

std::optional<Usage> usage_of(const dom::object& response) {
  dom::object usage;
  Usage out;
  if (response["usage"].get_object().get(usage) != simdjson::SUCCESS ||
      usage["input_tokens"].get_int64().get(out.input_tokens) != simdjson::SUCCESS ||
      usage["output_tokens"].get_int64().get(out.output_tokens) != simdjson::SUCCESS)
    return std::nullopt;
  static_cast<void>(usage["input_tokens_details"]["cached_tokens"].get_int64().get(out.cached_input_tokens));
  static_cast<void>(usage["output_tokens_details"]["reasoning_tokens"].get_int64().get(out.reasoning_tokens));
  return out;
}

/// Writes the members of an object.
class Members {
 public:
  explicit Members(std::string& out) : out_(out) { out_.push_back('{'); }
  ~Members() { out_.push_back('}'); }
  Members(const Members&) = delete;
  Members& operator=(const Members&) = delete;

  Members& json(std::string_view key, std::string_view value) {
    name(key).append(value);
    return *this;
  }
  Members& text(std::string_view key, std::string_view value) {
    append_json_string(name(key), value);
    return *this;
  }
  Members& number(std::string_view key, std::int64_t value) {
    append_json_number(name(key), value);
    return *this;
  }
  /// What the request says of itself, or the API's default.
  Members& echo(std::string_view key, const dom::object& request, std::string_view otherwise) {
    dom::element value;
    if (request[key].get(value) == simdjson::SUCCESS && !value.is_null()) {
      append_json(name(key), value);
    } else {
      name(key).append(otherwise);
    }
    return *this;
  }
  std::string& name(std::string_view key) {
    if (out_.back() != '{') out_.push_back(',');
    append_json_string(out_, key);
    out_.push_back(':');
    return out_;
  }

 private:
  std::string& out_;
};

void append_message(std::string& out, const Answer& answer) {
  Members message(out);
  message.text("id", new_id("msg_")).text("type", "message").text("status", "completed").text("role", "assistant");
  std::string& content = message.name("content");
  content.push_back('[');
  if (!answer.text.empty()) {
    Members part(content);
    part.text("type", "output_text").text("text", answer.text).json("annotations", "[]").json("logprobs", "[]");
  }
  if (!answer.refusal.empty()) {
    if (content.back() != '[') content.push_back(',');
    Members part(content);
    part.text("type", "refusal").text("refusal", answer.refusal);
  }
  content.push_back(']');
}

void append_output(std::string& out, const Answer& answer) {
  out.push_back('[');
  const auto next = [&out] {
    if (out.back() != '[') out.push_back(',');
  };
  // No reasoning item: its made-up id would come back in the client's next request, and the upstream does not know it.
  if (!answer.text.empty() || !answer.refusal.empty()) {
    next();
    append_message(out, answer);
  }
  for (const ToolCall& call : answer.tool_calls) {
    next();
    Members item(out);
    item.text("id", new_id("fc_")).text("type", "function_call").text("status", "completed");
    item.text("call_id", call.id).text("name", call.name).text("arguments", call.arguments);
  }
  out.push_back(']');
}

void append_usage(std::string& out, const Usage& usage) {
  Members members(out);
  members.number("input_tokens", usage.input_tokens);
  {
    Members details(members.name("input_tokens_details"));
    details.number("cached_tokens", usage.cached_input_tokens).number("cache_write_tokens", 0);
  }
  members.number("output_tokens", usage.output_tokens);
  {
    Members(members.name("output_tokens_details")).number("reasoning_tokens", usage.reasoning_tokens);
  }
  members.number("total_tokens", usage.input_tokens + usage.output_tokens);
}

/// What the request says of `reasoning` or `text`, with those defaults ahead that it does not say itself.
void append_settings(std::string& out, const dom::object& request, std::string_view key,
                     std::initializer_list<std::pair<std::string_view, std::string_view>> defaults) {
  dom::object said;
  const bool has = request[key].get_object().get(said) == simdjson::SUCCESS;
  Members members(out);
  for (const auto& [name, json] : defaults) {
    dom::element value;
    if (!has || said[name].get(value) != simdjson::SUCCESS || value.is_null()) members.json(name, json);
  }
  if (!has) return;
  for (const auto& [name, value] : said)
    if (!value.is_null()) append_json(members.name(name), value);
}

}  // namespace

std::optional<Answer> answer_of_response(dom::element response) {
  dom::object members;
  dom::array output;
  if (response.get_object().get(members) != simdjson::SUCCESS ||
      members["output"].get_array().get(output) != simdjson::SUCCESS)
    return std::nullopt;
  Answer answer;
  answer.id = string_of(members, "id");
  answer.model = string_of(members, "model");
  answer.usage = usage_of(members);
  bool has_message = false;
  for (const dom::element each : output) {
    dom::object item;
    if (each.get_object().get(item) != simdjson::SUCCESS) return std::nullopt;
    const std::string_view type = string_of(item, "type");
    if (type == "message") {
      if (std::exchange(has_message, true) || !take_message(item, answer)) return std::nullopt;
    } else if (type == "function_call") {
      if (!says_only(item, {"id", "type", "status", "call_id", "name", "arguments"})) return std::nullopt;
      answer.tool_calls.push_back({std::string(string_of(item, "call_id")), std::string(string_of(item, "name")),
                                   std::string(string_of(item, "arguments"))});
    } else if (type == "reasoning") {
      take_reasoning(item, answer);
    } else {
      return std::nullopt;
    }
  }
  return answer;
}

std::string response_of_answer(const Answer& answer, dom::object request) {
  std::string out;
  {
    Members response(out);
    response.text("id", new_id("resp_")).text("object", "response").json("created_at", kWhenSaid);
    response.text("status", "completed")
        .json("background", "false")
        .json("error", "null")
        .json("incomplete_details", "null");
    response.echo("instructions", request, "null").echo("max_output_tokens", request, "null");
    response.echo("max_tool_calls", request, "null").text("model", answer.model);
    append_output(response.name("output"), answer);
    response.echo("parallel_tool_calls", request, "true").echo("previous_response_id", request, "null");
    append_settings(response.name("reasoning"), request, "reasoning", {{"effort", "null"}, {"summary", "null"}});
    response.echo("service_tier", request, "\"default\"").json("store", "false").echo("temperature", request, "1");
    append_settings(response.name("text"), request, "text",
                    {{"format", R"({"type":"text"})"}, {"verbosity", "\"medium\""}});
    response.echo("tool_choice", request, "\"auto\"").echo("tools", request, "[]").echo("top_logprobs", request, "0");
    response.echo("top_p", request, "1").echo("truncation", request, "\"disabled\"");
    std::string& usage = response.name("usage");
    append_usage(usage, *answer.usage);
    response.echo("user", request, "null").echo("metadata", request, "{}");
  }
  return out;
}

}  // namespace sosie::protocol
