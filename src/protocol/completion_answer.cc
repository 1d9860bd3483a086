#include "protocol/completion_answer.h"

#include <algorithm>

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kIdMember = R"({"id":")";
constexpr std::string_view kObjectMember = R"(","object":")";
constexpr std::string_view kCreatedMember = R"(","created":)";

bool says_something(const dom::object& message) {
  for (const auto& [key, value] : message) {
    std::string_view text;
    dom::array items;
    if (key == "role") continue;
    if (value.get_string().get(text) == simdjson::SUCCESS && !text.empty()) return true;
    if (value.get_array().get(items) == simdjson::SUCCESS && items.size() != 0) return true;
    if (value.is_object()) return true;
  }
  return false;
}

NotKept fault_of_content(const CompletionForm& form, dom::element choice) {
  if (form.has_messages) {
    dom::object message;
    if (choice["message"].get_object().get(message) != simdjson::SUCCESS) return "no_message";
    return says_something(message) ? "" : "empty_answer";
  }
  std::string_view text;
  if (choice["text"].get_string().get(text) != simdjson::SUCCESS) return "no_message";
  return text.empty() ? "empty_answer" : "";
}

bool is_complete_finish(std::string_view finish_reason) noexcept {
  return finish_reason == "stop" || finish_reason == "tool_calls" || finish_reason == "function_call";
}

/// An id that needs escapes would hide where it ends.
bool is_plain(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

void note_name(dom::element call, std::string_view kind, std::vector<std::string>& names) {
  std::string_view name;
  if (call[kind]["name"].get_string().get(name) == simdjson::SUCCESS) names.emplace_back(name);
}

std::vector<std::string> called_tools(const dom::array& choices) {
  std::vector<std::string> names;
  for (const dom::element choice : choices) {
    dom::element message;
    dom::array calls;
    if (choice["message"].get(message) != simdjson::SUCCESS) continue;
    note_name(message, "function_call", names);
    if (message["tool_calls"].get_array().get(calls) != simdjson::SUCCESS) continue;
    for (const dom::element call : calls) {
      const std::size_t before = names.size();
      if (call.is_object())
        for (const std::string_view kind : {"function", "custom"}) note_name(call, kind, names);
      if (names.size() == before) names.emplace_back();
    }
  }
  return names;
}

/// Where `kept` has its "created": behind `{"id":"…","object":"…","created":`. Npos: it does not begin so.
std::size_t find_created(const CompletionForm& form, std::string_view kept) {
  if (!kept.starts_with(kIdMember)) return std::string_view::npos;
  std::size_t at = kept.find('"', kIdMember.size());
  for (const std::string_view expected : {kObjectMember, form.object, kCreatedMember}) {
    if (at == std::string_view::npos || !kept.substr(at).starts_with(expected)) return std::string_view::npos;
    at += expected.size();
  }
  return at;
}

}  // namespace

NotKept fault_of_choices(const CompletionForm& form, const dom::array& choices, std::int64_t count) {
  if (choices.size() == 0) return "no_choices";
  if (count < 0 || choices.size() != static_cast<std::size_t>(count)) return "choice_count";
  std::vector<bool> seen(choices.size());
  std::size_t position = 0;
  for (const dom::element choice : choices) {
    dom::element number;
    std::string_view finish;
    if (!choice.is_object()) return "no_message";
    std::uint64_t index = position++;
    if (choice["index"].get(number) == simdjson::SUCCESS && number.get_uint64().get(index) != simdjson::SUCCESS)
      return "choice_count";
    if (index >= seen.size() || seen[index]) return "choice_count";
    seen[index] = true;
    const NotKept fault = fault_of_content(form, choice);
    if (fault == "no_message") return fault;
    if (choice["finish_reason"].get_string().get(finish) != simdjson::SUCCESS || !is_complete_finish(finish))
      return "finish_reason";
    if (!fault.empty()) return fault;
  }
  return {};
}

bool is_joined_text(std::string_view name) noexcept {
  return name == "content" || name == "refusal" || name == "reasoning_content" || name == "reasoning";
}

std::variant<Kept, NotKept> keep_completion(const CompletionForm& form, JsonReader& reader, std::string_view completion,
                                            std::int64_t choice_count) {
  const auto root = reader.read_copy(completion);
  dom::object object;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) return NotKept("not_json");
  if (has_duplicate_keys(object)) return NotKept("not_json");
  std::string_view kind, id;
  dom::array choices;
  dom::element error;
  if (object["object"].get_string().get(kind) != simdjson::SUCCESS || kind != form.object)
    return NotKept("not_a_completion");
  if (object["choices"].get_array().get(choices) != simdjson::SUCCESS) return NotKept("no_choices");
  if (object["error"].get(error) == simdjson::SUCCESS && !error.is_null()) return NotKept("error_inside");
  if (const NotKept fault = fault_of_choices(form, choices, choice_count); !fault.empty()) return fault;

  std::int64_t created = 0;
  static_cast<void>(object["created"].get_int64().get(created));
  static_cast<void>(object["id"].get_string().get(id));
  Kept kept;
  std::string& answer = kept.answer;
  answer.reserve(completion.size());
  answer.append(kIdMember)
      .append(is_plain(id) ? id : "")
      .append(kObjectMember)
      .append(form.object)
      .append(kCreatedMember);
  append_json_number(answer, created);
  for (const auto& [key, value] : object) {
    if (key == "id" || key == "object" || key == "created") continue;
    answer.push_back(',');
    append_json_string(answer, key);
    answer.push_back(':');
    append_json(answer, value);
  }
  answer.push_back('}');
  kept.tools = called_tools(choices);
  // A call without a name, or of a kind not known: nobody can say what it does.
  if (std::find(kept.tools.begin(), kept.tools.end(), "") != kept.tools.end()) return NotKept("tool_calls");
  return kept;
}

bool owns_completion(const CompletionForm& form, std::string_view kept) noexcept {
  return find_created(form, kept) != std::string_view::npos;
}

std::optional<PlainReplay> replay_completion(const CompletionForm& form, std::string_view kept, std::int64_t created) {
  const std::size_t at = find_created(form, kept);
  if (at == std::string_view::npos) return std::nullopt;
  const std::size_t comma = kept.find(',', at);
  if (comma == std::string_view::npos) return std::nullopt;
  PlainReplay replay;
  replay.head.reserve(128);
  replay.head.append(kIdMember)
      .append(new_id(form.id_prefix))
      .append(kObjectMember)
      .append(form.object)
      .append(kCreatedMember);
  append_json_number(replay.head, created);
  replay.tail = kept.substr(comma);
  return replay;
}

}  // namespace sosie::protocol
