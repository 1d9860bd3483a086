#include "protocol/messages_answer.h"

#include <algorithm>
#include <utility>

#include "protocol/messages_json.h"
#include "text/utf8.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kIdMember = R"({"id":")";
constexpr std::string_view kTypeMember = R"(","type":"message")";

bool is_complete_stop(std::string_view reason) {
  return reason == "end_turn" || reason == "tool_use" || reason == "stop_sequence";
}

/// Empty: the block may be kept. Gathers the tools it calls; `says` turns true where it says something.
NotKept fault_of_block(dom::element value, std::vector<std::string>& tools, bool& says) {
  dom::object block;
  if (value.get_object().get(block) != simdjson::SUCCESS || has_duplicate_keys(block)) return {Reason::not_a_message};
  const std::string_view type = text_in(block, "type");
  if (type.empty()) return {Reason::not_a_message, "type"};
  if (type == "text") {
    if (block["text"].get_string().error() != simdjson::SUCCESS) return {Reason::not_a_message, "text"};
    says = says || !text::is_blank(text_in(block, "text"));
  } else if (type == "tool_use") {
    const std::string_view name = text_in(block, "name");
    if (name.empty()) return {Reason::tool_calls, "name"};
    if (text_in(block, "id").empty()) return {Reason::tool_calls, "id"};
    if (block["input"].get_object().error() != simdjson::SUCCESS) return {Reason::tool_calls, "input"};
    tools.emplace_back(name);
    says = true;
  } else if (type != "thinking" && type != "redacted_thinking") {
    says = true;
  }
  return {};
}

/// Empty: the content may be kept.
NotKept fault_of_content(const dom::array& content, std::vector<std::string>& tools) {
  bool says_something = false;
  std::size_t position = 0;
  for (const dom::element each : content) {
    const std::size_t place = position++;
    if (const NotKept fault = fault_of_block(each, tools, says_something); !fault.empty())
      return fault.in(element_name("content", place));
  }
  return says_something ? NotKept() : NotKept(Reason::empty_answer, "content");
}

}  // namespace

std::variant<Kept, NotKept> keep_message(dom::element message) {
  dom::object members, error;
  dom::array content;
  if (message.get_object().get(members) != simdjson::SUCCESS || has_duplicate_keys(members))
    return NotKept(Reason::not_json, kWholeAnswer);
  if (members["error"].get_object().get(error) == simdjson::SUCCESS) return NotKept(Reason::error_inside, "error");
  if (text_in(members, "type") != "message") return NotKept(Reason::not_a_message, "type");
  if (text_in(members, "role") != "assistant") return NotKept(Reason::not_a_message, "role");
  if (members["content"].get_array().get(content) != simdjson::SUCCESS) return NotKept(Reason::not_a_message, "content");
  if (!is_complete_stop(text_in(members, "stop_reason"))) return NotKept(Reason::finish_reason, "stop_reason");
  Kept kept;
  if (NotKept fault = fault_of_content(content, kept.tools); !fault.empty()) return fault;

  const std::string_view id = text_in(members, "id");
  // An id that needs escapes would hide where it ends.
  const bool plain =
      std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
  kept.answer = head_with_id(plain ? id : std::string_view());
  kept.answer.append(kTypeMember.substr(1));
  for (const auto& [key, value] : members) {
    if (key == "id" || key == "type") continue;
    kept.answer.push_back(',');
    append_json_string(kept.answer, key);
    kept.answer.push_back(':');
    append_json(kept.answer, value);
  }
  kept.answer.push_back('}');
  return kept;
}

std::optional<std::string_view> behind_id(std::string_view kept) noexcept {
  if (!kept.starts_with(kIdMember)) return std::nullopt;
  kept.remove_prefix(kIdMember.size());
  kept.remove_prefix(std::min(kept.find('"'), kept.size()));
  if (!kept.starts_with(kTypeMember)) return std::nullopt;
  return kept.substr(1);
}

std::string head_with_id(std::string_view id) {
  std::string head(kIdMember);
  head.append(id).push_back('"');
  return head;
}

}  // namespace sosie::protocol::messages
