#include "protocol/completion_answer.h"

#include <algorithm>
#include <utility>

#include "protocol/object_writer.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kIdMember = R"({"id":")";
constexpr std::string_view kObjectMember = R"(","object":")";
constexpr std::string_view kCreatedMember = R"(","created":)";
constexpr std::string_view kNoUsage = R"(,"usage":null)";  // Behind "created"; nowhere else there is a null.

bool says_something(const dom::object& message) {
  for (const auto& [key, value] : message) {
    std::string_view text;
    dom::array items;
    // What the model thought before it said nothing is no answer.
    if (key == "role" || key.starts_with("reasoning") || key.starts_with("thinking")) continue;
    if (value.get_string().get(text) == simdjson::SUCCESS && !text::is_blank(text)) return true;
    if (value.get_array().get(items) == simdjson::SUCCESS && items.size() != 0) return true;
    if (value.is_object()) return true;
  }
  return false;
}

NotKept fault_of_content(const CompletionForm& form, dom::element choice) {
  if (form.has_messages) {
    dom::object message;
    if (choice["message"].get_object().get(message) != simdjson::SUCCESS) return {Reason::no_message, "message"};
    if (has_duplicate_keys(message)) return {Reason::repeated_key, "message"};
    return says_something(message) ? NotKept() : NotKept(Reason::empty_answer, "message");
  }
  std::string_view text;
  if (choice["text"].get_string().get(text) != simdjson::SUCCESS) return {Reason::no_message, "text"};
  return text::is_blank(text) ? NotKept(Reason::empty_answer, "text") : NotKept();
}

bool is_complete_finish(std::string_view finish_reason) noexcept {
  return finish_reason == "stop" || finish_reason == "tool_calls" || finish_reason == "function_call";
}

/// An id that needs escapes would hide where it ends.
bool is_plain(std::string_view id) {
  return std::all_of(id.begin(), id.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '\\'; });
}

/// Calls of tools in an answer: whether they can be kept, and how they are said.
class Calls {
 public:
  /// Empty: all can be kept.
  NotKept read(const dom::array& choices) {
    std::size_t position = 0;
    for (const dom::element choice : choices) {
      const std::size_t place = position++;
      dom::object message;
      if (choice["message"].get_object().get(message) != simdjson::SUCCESS) continue;
      if (const NotKept fault = read_message(message); !fault.empty()) return fault.in("message").in(element_name("choices", place));
    }
    return {};
  }

  std::vector<std::string> take_names() { return std::move(names_); }

  /// The choices, each call's arguments as the API has them: a string. Some upstreams send an object, or nothing where there are none.
  void append_choices(std::string& out, const dom::array& choices) const {
    char before = '[';
    for (const dom::element each : choices) {
      out.push_back(std::exchange(before, ','));
      each.is_object() && mend_ ? append_choice(out, each.get_object().value_unsafe()) : append_json(out, each);
    }
    out.push_back(']');
  }

 private:
  NotKept read_message(const dom::object& message) {
    dom::element value;
    dom::array calls;
    if (message["function_call"].get(value) == simdjson::SUCCESS && !value.is_null())
      if (const NotKept fault = read_function(value); !fault.empty()) return fault.in("function_call");
    if (message["tool_calls"].get(value) != simdjson::SUCCESS || value.is_null()) return {};
    if (value.get_array().get(calls) != simdjson::SUCCESS) return {Reason::tool_calls, "tool_calls"};
    std::size_t position = 0;
    for (const dom::element call : calls) {
      const std::size_t place = position++;
      if (const NotKept fault = read_call(call); !fault.empty()) return fault.in(element_name("tool_calls", place));
    }
    return {};
  }

  // A call of a kind not known: nobody can say what it does.
  NotKept read_call(dom::element value) {
    dom::object call;
    dom::element function;
    std::string_view name;
    if (value.get_object().get(call) != simdjson::SUCCESS) return {Reason::tool_calls};
    if (has_duplicate_keys(call)) return {Reason::repeated_key};
    if (call["function"].get(function) == simdjson::SUCCESS && !function.is_null())
      return read_function(function).in("function");
    if (call["custom"]["name"].get_string().get(name) != simdjson::SUCCESS || name.empty()) return {Reason::tool_calls, "custom.name"};
    names_.emplace_back(name);
    return {};
  }

  NotKept read_function(dom::element value) {
    dom::object function;
    dom::element arguments;
    std::string_view name, text;
    if (value.get_object().get(function) != simdjson::SUCCESS) return {Reason::tool_calls};
    if (has_duplicate_keys(function)) return {Reason::repeated_key};
    if (function["name"].get_string().get(name) != simdjson::SUCCESS || name.empty()) return {Reason::tool_calls, "name"};
    names_.emplace_back(name);
    const bool has_text = function["arguments"].get(arguments) == simdjson::SUCCESS &&
                          arguments.get_string().get(text) == simdjson::SUCCESS && !text::is_blank(text);
    if (has_text) return is_json(text) ? NotKept() : NotKept(Reason::tool_calls, "arguments");
    mend_ = true;
    const bool says_none = arguments_of(function).has_value();
    return says_none ? NotKept() : NotKept(Reason::tool_calls, "arguments");
  }

  /// `object` with the member `key` written by `write`.
  template <class Write>
  static void append_with(std::string& out, const dom::object& object, std::string_view key, const Write& write) {
    ObjectWriter writer(out);
    for (const auto& [name, value] : object) {
      if (name == key && !value.is_null()) {
        write(writer.name(name), value);
      } else {
        writer.json(name, value);
      }
    }
  }

  static void append_choice(std::string& out, const dom::object& choice) {
    append_with(out, choice, "message", [](std::string& inside, dom::element message) {
      append_message(inside, message.get_object().value_unsafe());
    });
  }

  static void append_message(std::string& out, const dom::object& message) {
    ObjectWriter writer(out);
    for (const auto& [name, value] : message) {
      if (name == "function_call" && value.is_object()) {
        append_function(writer.name(name), value.get_object().value_unsafe());
      } else if (name == "tool_calls" && value.is_array()) {
        append_calls(writer.name(name), value.get_array().value_unsafe());
      } else {
        writer.json(name, value);
      }
    }
  }

  static void append_calls(std::string& out, const dom::array& calls) {
    char before = '[';
    for (const dom::element call : calls) {
      out.push_back(std::exchange(before, ','));
      append_with(out, call.get_object().value_unsafe(), "function", [](std::string& inside, dom::element function) {
        append_function(inside, function.get_object().value_unsafe());
      });
    }
    out.append(before == '[' ? "[]" : "]");
  }

  static void append_function(std::string& out, const dom::object& function) {
    ObjectWriter writer(out);
    for (const auto& [name, value] : function)
      if (name != "arguments") writer.json(name, value);
    writer.text("arguments", arguments_of(function).value_or("{}"));
  }

  std::vector<std::string> names_;
  bool mend_ = false;
};

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
  if (choices.size() == 0) return {Reason::no_choices, "choices"};
  if (count < 0 || choices.size() != static_cast<std::size_t>(count)) return {Reason::choice_count, "choices"};
  std::vector<bool> seen(choices.size());
  std::size_t position = 0;
  for (const dom::element choice : choices) {
    const std::size_t place = position++;
    const auto fault = [place](const NotKept& inside) { return inside.in(element_name("choices", place)); };
    dom::element number;
    std::string_view finish;
    dom::object members;
    if (choice.get_object().get(members) != simdjson::SUCCESS) return fault(Reason::no_message);
    if (has_duplicate_keys(members)) return fault(Reason::repeated_key);
    std::uint64_t index = place;
    if (choice["index"].get(number) == simdjson::SUCCESS && number.get_uint64().get(index) != simdjson::SUCCESS)
      return fault({Reason::choice_count, "index"});
    if (index >= seen.size() || seen[index]) return fault({Reason::choice_count, "index"});
    seen[index] = true;
    const NotKept content = fault_of_content(form, choice);
    if (content.reason == Reason::no_message) return fault(content);
    if (choice["finish_reason"].get_string().get(finish) != simdjson::SUCCESS || !is_complete_finish(finish))
      return fault({Reason::finish_reason, "finish_reason"});
    if (!content.empty()) return fault(content);
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
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) return NotKept(Reason::not_json, kWholeAnswer);
  if (has_duplicate_keys(object)) return NotKept(Reason::repeated_key, kWholeAnswer);
  std::string_view kind, id;
  dom::array choices;
  dom::element error;
  if (object["object"].get_string().get(kind) != simdjson::SUCCESS || kind != form.object) return NotKept(Reason::not_a_completion, "object");
  if (object["choices"].get_array().get(choices) != simdjson::SUCCESS) return NotKept(Reason::no_choices, "choices");
  if (object["error"].get(error) == simdjson::SUCCESS && !error.is_null()) return NotKept(Reason::error_inside, "error");
  if (NotKept fault = fault_of_choices(form, choices, choice_count); !fault.empty()) return fault;
  Calls calls;
  if (NotKept fault = calls.read(choices); !fault.empty()) return fault;

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
    if (key == "usage" && value.is_null()) continue;  // See mark_without_usage.
    answer.push_back(',');
    append_json_string(answer, key);
    answer.push_back(':');
    key == "choices" ? calls.append_choices(answer, choices) : append_json(answer, value);
  }
  answer.push_back('}');
  kept.tools = calls.take_names();
  return kept;
}

void mark_without_usage(const CompletionForm& form, std::string& kept) {
  const std::size_t created = find_created(form, kept);
  if (created != std::string::npos) kept.insert(kept.find(',', created), kNoUsage);
}

bool is_marked_without_usage(const CompletionForm& form, std::string_view kept) noexcept {
  const std::size_t created = find_created(form, kept);
  if (created == std::string_view::npos) return false;
  return kept.substr(std::min(kept.find(',', created), kept.size())).starts_with(kNoUsage);
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
