#include "protocol/responses_answer.h"

#include <utility>

#include "protocol/object_writer.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

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

/// What is wrong with a part of a message; `says` turns true where it says something.
NotKept fault_of_part(dom::element value, bool& says) {
  dom::object part;
  if (value.get_object().get(part) != simdjson::SUCCESS || has_duplicate_keys(part)) return {Reason::no_content};
  const std::string_view type = text_or_empty(part["type"]);
  if (type.empty()) return {Reason::no_content, "type"};
  if (type != "output_text" && type != "refusal") return {};
  const std::string_view member = type == "output_text" ? "text" : "refusal";
  if (part[member].get_string().error()) return {Reason::no_content, member};
  says = says || !text::is_blank(text_or_empty(part[member]));
  return {};
}

NotKept fault_of_content(const dom::object& message, bool& says) {
  dom::array content;
  if (message["content"].get_array().get(content) != simdjson::SUCCESS) return {Reason::no_content, "content"};
  std::size_t position = 0;
  for (const dom::element part : content) {
    const std::size_t place = position++;
    if (const NotKept fault = fault_of_part(part, says); !fault.empty()) return fault.in(element_name("content", place));
  }
  return {};
}

NotKept fault_of_item(dom::element value, Kept& kept, bool& says) {
  dom::object item;
  if (value.get_object().get(item) != simdjson::SUCCESS || has_duplicate_keys(item)) return {Reason::not_a_response};
  const std::string_view type = text_or_empty(item["type"]);
  if (type.empty()) return {Reason::not_a_response, "type"};
  if (is_cut_off(item)) return {Reason::incomplete_item, "status"};
  if (type == "message") return fault_of_content(item, says);
  if (type != "function_call" && type != "custom_tool_call") return {};
  const std::string_view name = text_or_empty(item["name"]);
  if (name.empty()) return {Reason::tool_calls, "name"};
  if (text_or_empty(item["call_id"]).empty()) return {Reason::tool_calls, "call_id"};
  if (type == "custom_tool_call" && item["input"].get_string().error()) return {Reason::tool_calls, "input"};
  if (type == "function_call") {
    const auto arguments = arguments_of(item);
    if (!arguments || !is_json(*arguments)) return {Reason::tool_calls, "arguments"};
  }
  kept.tools.emplace_back(name);
  says = true;
  return {};
}

NotKept fault_of_output(const dom::array& output, Kept& kept) {
  bool says = false;
  std::size_t position = 0;
  for (const dom::element each : output) {
    const std::size_t place = position++;
    if (const NotKept fault = fault_of_item(each, kept, says); !fault.empty()) return fault.in(element_name("output", place));
  }
  return says ? NotKept() : NotKept(Reason::empty_answer, "output");
}

/// Each call's arguments as a text.
void append_output(std::string& out, const dom::array& output) {
  char before = '[';
  for (const dom::element each : output) {
    out.push_back(std::exchange(before, ','));
    dom::object item;
    if (each.get_object().get(item) != simdjson::SUCCESS || text_or_empty(item["type"]) != "function_call") {
      append_json(out, each);
      continue;
    }
    ObjectWriter writer(out);
    for (const auto& [key, value] : item)
      if (key != "arguments") writer.json(key, value);
    writer.text("arguments", arguments_of(item).value_or("{}"));
  }
  out.append(before == '[' ? "[]" : "]");
}

/// Quotes inside of texts are escaped: this stands for a member. One further inside would only ask the upstream once more.
constexpr std::string_view kNotStored = R"("store":false)";

}  // namespace

std::variant<Kept, NotKept> keep_response(dom::element response, bool stored) {
  dom::object members;
  dom::array output;
  dom::element created;
  std::string_view id;
  if (response.get_object().get(members) != simdjson::SUCCESS) return NotKept(Reason::not_a_response, kWholeAnswer);
  if (has_duplicate_keys(members)) return NotKept(Reason::repeated_key, kWholeAnswer);
  if (has_value(members, "error")) return NotKept(Reason::error_inside, "error");
  if (text_or_empty(members["object"]) != "response") return NotKept(Reason::not_a_response, "object");
  if (members["id"].get_string().get(id) != simdjson::SUCCESS || id.empty()) return NotKept(Reason::not_a_response, "id");
  if (members["created_at"].get(created) != simdjson::SUCCESS || !created.is_number()) return NotKept(Reason::not_a_response, "created_at");
  if (text_or_empty(members["status"]) != "completed") return NotKept(Reason::status, "status");
  if (has_value(members, "incomplete_details")) return NotKept(Reason::incomplete, "incomplete_details");
  bool background = false;
  if (members["background"].get_bool().get(background) == simdjson::SUCCESS && background) return NotKept(Reason::background, "background");
  if (members["output"].get_array().get(output) != simdjson::SUCCESS) return NotKept(Reason::not_a_response, "output");

  Kept kept;
  if (NotKept fault = fault_of_output(output, kept); !fault.empty()) return fault;
  {
    ObjectWriter writer(kept.answer);
    writer.text("id", id).text("object", "response").json("created_at", created);
    bool says_store = false;
    for (const auto& [key, value] : members) {
      if (key == "id" || key == "object" || key == "created_at") continue;
      says_store = says_store || key == "store";
      if (key == "output") {
        append_output(writer.name(key), output);
      } else if (key == "store" && !stored) {
        writer.json(key, "false");
      } else {
        writer.json(key, value);
      }
    }
    if (!says_store && !stored) writer.json("store", "false");
  }
  return kept;
}

bool is_stored_response(std::string_view kept) noexcept { return kept.find(kNotStored) == std::string_view::npos; }

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
