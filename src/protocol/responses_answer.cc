#include "protocol/responses_answer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kIdMember = R"({"id":")";
constexpr std::string_view kObjectMember = R"(","object":"response","created_at":)";

std::string_view text_or_empty(simdjson::simdjson_result<dom::element> value) {
  std::string_view text = "";
  static_cast<void>(value.get_string().get(text));
  return text;
}

bool has_value(const dom::object& object, std::string_view key) {
  dom::element value;
  return object[key].get(value) == simdjson::SUCCESS && !value.is_null();
}

bool is_cut_off(const dom::object& item) {
  const std::string_view status = text_or_empty(item["status"]);
  return status == "incomplete" || status == "in_progress" || status == "failed";
}

/// What is wrong with a message's content; `says` turns true where a part says something.
NotKept fault_of_content(const dom::object& message, bool& says) {
  dom::array content;
  if (message["content"].get_array().get(content) != simdjson::SUCCESS) return "no_content";
  for (const dom::element part : content) {
    dom::object members;
    if (part.get_object().get(members) != simdjson::SUCCESS || has_duplicate_keys(members)) return "no_content";
    const std::string_view type = text_or_empty(members["type"]);
    if (type == "output_text" && !members["text"].get_string().error()) {
      says = says || !text_or_empty(members["text"]).empty();
    } else if (type == "refusal" && !members["refusal"].get_string().error()) {
      says = says || !text_or_empty(members["refusal"]).empty();
    } else if (type.empty() || type == "output_text" || type == "refusal") {
      return "no_content";
    }
  }
  return {};
}

NotKept fault_of_output(const dom::array& output, Kept& kept) {
  bool says = false;
  for (const dom::element each : output) {
    dom::object item;
    if (each.get_object().get(item) != simdjson::SUCCESS || has_duplicate_keys(item)) return "not_a_response";
    const std::string_view type = text_or_empty(item["type"]);
    if (type.empty()) return "not_a_response";
    if (is_cut_off(item)) return "incomplete_item";
    if (type == "message") {
      if (const NotKept fault = fault_of_content(item, says); !fault.empty()) return fault;
    } else if (type == "function_call" || type == "custom_tool_call") {
      const std::string_view name = text_or_empty(item["name"]);
      const std::string_view said = type == "function_call" ? "arguments" : "input";
      if (name.empty() || text_or_empty(item["call_id"]).empty() || item[said].get_string().error())
        return "tool_calls";
      kept.tools.emplace_back(name);
      says = true;
    }
  }
  return says ? NotKept() : NotKept("empty_answer");
}

}  // namespace

std::variant<Kept, NotKept> keep_response(dom::element response) {
  dom::object members;
  dom::array output;
  dom::element created;
  std::string_view id;
  if (response.get_object().get(members) != simdjson::SUCCESS) return NotKept("not_a_response");
  if (has_duplicate_keys(members)) return NotKept("repeated_key");
  if (has_value(members, "error")) return NotKept("error_inside");
  if (text_or_empty(members["object"]) != "response" || members["id"].get_string().get(id) != simdjson::SUCCESS ||
      id.empty() || members["created_at"].get(created) != simdjson::SUCCESS || !created.is_number())
    return NotKept("not_a_response");
  if (text_or_empty(members["status"]) != "completed") return NotKept("status");
  if (has_value(members, "incomplete_details")) return NotKept("incomplete");
  bool background = false;
  if (members["background"].get_bool().get(background) == simdjson::SUCCESS && background) return NotKept("background");
  if (members["output"].get_array().get(output) != simdjson::SUCCESS) return NotKept("not_a_response");

  Kept kept;
  if (const NotKept fault = fault_of_output(output, kept); !fault.empty()) return fault;
  kept.answer.append(R"({"id":)");
  append_json_string(kept.answer, id);
  kept.answer.append(R"(,"object":"response","created_at":)");
  append_json(kept.answer, created);
  for (const auto& [key, value] : members) {
    if (key == "id" || key == "object" || key == "created_at") continue;
    kept.answer.push_back(',');
    append_json_string(kept.answer, key);
    kept.answer.push_back(':');
    append_json(kept.answer, value);
  }
  kept.answer.push_back('}');
  return kept;
}

std::optional<KeptResponse> split_kept_response(std::string_view kept) noexcept {
  if (!kept.starts_with(kIdMember)) return std::nullopt;
  std::size_t at = kIdMember.size();
  while (at < kept.size() && kept[at] != '"') at += kept[at] == '\\' ? 2 : 1;
  if (at >= kept.size() || !kept.substr(at).starts_with(kObjectMember)) return std::nullopt;
  const std::size_t number = at + kObjectMember.size();
  const std::size_t end = kept.find(',', number);
  if (end == std::string_view::npos) return std::nullopt;
  return KeptResponse{kept.substr(0, number), kept.substr(number, end - number), kept.substr(end)};
}

}  // namespace sosie::protocol
