#include "protocol/completion_assembler.h"

#include <algorithm>

#include "protocol/completion_answer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// The text under `name`, begun empty where it is new.
std::string& text_of(std::vector<std::pair<std::string, std::string>>& texts, std::string_view name) {
  const auto found = std::find_if(texts.begin(), texts.end(), [name](const auto& each) { return each.first == name; });
  if (found != texts.end()) return found->second;
  return texts.emplace_back(std::string(name), std::string()).second;
}

/// A member that nobody has said how to join: one alone is the whole, and so is the same again. False: two that differ.
bool take_whole(std::vector<std::pair<std::string, std::string>>& members, std::string_view key, dom::element value) {
  std::string json;
  append_json(json, value);
  std::string& whole = text_of(members, key);
  if (whole.empty()) whole = json;
  return whole == json;
}

/// Azure says anew with each chunk what its filters make of the text so far: the last word counts.
void take_last(std::vector<std::pair<std::string, std::string>>& members, std::string_view key, dom::element value) {
  dom::object verdicts;
  if (value.get_object().get(verdicts) == simdjson::SUCCESS && verdicts.size() == 0) return;
  std::string& last = text_of(members, key);
  last.clear();
  append_json(last, value);
}

/// Azure's: which characters a chunk's verdict is about.
bool belongs_to_the_chunk(std::string_view choice_member) {
  return choice_member == "content_filter_offsets" || choice_member == "content_filter_result";
}

void append_member(std::string& out, std::string_view key, std::string_view json) {
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, key);
  out.append(":").append(json);
}

void append_text_member(std::string& out, std::string_view key, std::string_view text) {
  std::string json;
  append_json_string(json, text);
  append_member(out, key, json);
}

}  // namespace

void CompletionAssembler::add(JsonReader& reader, std::string_view event, std::string_view data) {
  if (event == "error") {
    unreadable_ = failed_ = true;
    return give_up("error_inside");
  }
  if (done_) return give_up("after_done");
  if (data == "[DONE]") {
    done_ = true;
    return;
  }
  const auto root = reader.read_copy(data);
  dom::object chunk;
  if (!root || root->get_object().get(chunk) != simdjson::SUCCESS) {
    unreadable_ = true;
    return give_up("not_json");
  }
  note_ends(chunk);  // Worth knowing even when all is lost already.
  if (fault_.empty()) read_chunk(chunk);
}

void CompletionAssembler::note_ends(const dom::object& chunk) {
  dom::element error;
  if (chunk["error"].get(error) == simdjson::SUCCESS && !error.is_null()) unreadable_ = failed_ = true;
  dom::array choices;
  if (chunk["choices"].get_array().get(choices) != simdjson::SUCCESS) return;
  for (const dom::element choice : choices) {
    std::int64_t index = 0;
    static_cast<void>(choice["index"].get_int64().get(index));
    const bool ends = choice["finish_reason"].is_string();
    bool& ended = ended_[index];
    ended = ended || ends;
  }
}

bool CompletionAssembler::ended() const noexcept {
  return !unreadable_ && !ended_.empty() &&
         std::all_of(ended_.begin(), ended_.end(), [](const auto& each) { return each.second; });
}

void CompletionAssembler::read_chunk(const dom::object& chunk) {
  for (const auto& [key, value] : chunk) {
    if (value.is_null()) continue;
    std::string_view text;
    dom::array choices;
    if (key == "error") return give_up("error_inside");
    if (key == "id") {
      if (id_.empty() && value.get_string().get(text) == simdjson::SUCCESS) id_ = text;
    } else if (key == "created") {
      static_cast<void>(value.get_int64().get(created_));
    } else if (key == "choices") {
      if (value.get_array().get(choices) != simdjson::SUCCESS) return give_up("not_a_completion");
      for (const dom::element each : choices) {
        dom::object choice;
        if (each.get_object().get(choice) != simdjson::SUCCESS) return give_up("not_a_completion");
        read_choice(choice);
      }
    } else if (key == "usage") {
      usage_.clear();  // Some send it with every chunk; the last is the whole.
      append_json(usage_, value);
    } else if (key != "object" && key != "obfuscation") {  // Padding belongs to the chunk, not to the answer.
      std::string& json = text_of(top_, key);
      json.clear();
      append_json(json, value);
    }
  }
}

void CompletionAssembler::read_choice(const dom::object& choice) {
  std::int64_t index = 0;
  dom::element number;
  if (choice["index"].get(number) == simdjson::SUCCESS && number.get_int64().get(index) != simdjson::SUCCESS)
    return give_up("not_a_completion");
  Choice& into = choices_[index];
  for (const auto& [key, value] : choice) {
    dom::object object;
    std::string_view text;
    if (value.is_null() || key == "index" || belongs_to_the_chunk(key)) continue;
    if (key == "delta" && form_.has_messages) {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up("not_a_completion");
      read_delta(into, object);
    } else if (key == "finish_reason") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return give_up("finish_reason");
      into.finish = text;
    } else if (key == "logprobs") {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up("logprobs");
      read_logprobs(into, object);
    } else if (key == "text" && !form_.has_messages) {
      if (value.get_string().get(text) != simdjson::SUCCESS) return give_up("not_a_completion");
      text_of(into.texts, key).append(text);
    } else if (key == "content_filter_results") {
      take_last(into.others, key, value);
    } else if (key == "message" || key == "delta" || key == "text" || !take_whole(into.others, key, value)) {
      return give_up("unknown_choice_field");
    }
  }
}

void CompletionAssembler::read_delta(Choice& into, const dom::object& delta) {
  for (const auto& [key, value] : delta) {
    std::string_view text;
    dom::array calls;
    if (value.is_null() || key == "role") continue;
    if (key == "tool_calls") {
      if (value.get_array().get(calls) != simdjson::SUCCESS) return give_up("tool_calls");
      read_tool_calls(into, calls);
    } else if (is_joined_text(key) && value.get_string().get(text) == simdjson::SUCCESS) {
      text_of(into.texts, key).append(text);
    } else if (!take_whole(into.values, key, value)) {
      return give_up("unknown_delta");
    }
  }
}

void CompletionAssembler::read_tool_calls(Choice& into, const dom::array& calls) {
  for (const dom::element each : calls) {
    std::int64_t index = 0;
    if (!each.is_object() || each["index"].get_int64().get(index) != simdjson::SUCCESS) return give_up("tool_calls");
    Call& call = into.calls[index];
    for (const dom::object inside = each.get_object().value_unsafe(); const auto& [key, value] : inside)
      if (!value.is_null() && key != "index" && !read_call_member(call, key, value)) return give_up("tool_calls");
  }
}

bool CompletionAssembler::read_call_member(Call& call, std::string_view key, dom::element value) {
  std::string_view text;
  dom::object inside;
  if (key == "id" || key == "type") {
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    if (key == "type") call.type = text;
    if (key == "id" && call.id.empty()) call.id = text;
    return true;
  }
  if (key != "function" && key != "custom") return take_whole(call.others, key, value);
  if (value.get_object().get(inside) != simdjson::SUCCESS) return false;
  for (const auto& [name, inner] : inside) {
    if (inner.is_null()) continue;
    if (inner.get_string().get(text) != simdjson::SUCCESS) return false;
    if (name == (key == "custom" ? "input" : "arguments")) {
      call.input.append(text);
    } else if (name == "name") {
      if (call.name != text) call.name.append(text);  // Sent once, in pieces, or again with every chunk.
    } else {
      return false;
    }
  }
  if (key == "custom") call.type = "custom";
  return true;
}

void CompletionAssembler::read_logprobs(Choice& into, const dom::object& logprobs) {
  into.has_logprobs = true;
  for (const auto& [key, value] : logprobs) {
    dom::array items;
    std::string& joined = text_of(into.logprobs, key);
    if (value.is_null()) continue;
    if (value.get_array().get(items) != simdjson::SUCCESS) return give_up("logprobs");
    for (const dom::element item : items) {
      if (!joined.empty()) joined.push_back(',');
      append_json(joined, item);
    }
  }
}

std::string CompletionAssembler::message_of(const Choice& choice) {
  std::string message = R"({"role":"assistant")";
  const auto is_content = [](const auto& each) { return each.first == "content"; };
  const bool has_content = std::any_of(choice.texts.begin(), choice.texts.end(), is_content);
  if (!has_content) append_member(message, "content", "null");
  for (const auto& [name, text] : choice.texts) append_text_member(message, name, text);
  for (const auto& [name, json] : choice.values) append_member(message, name, json);
  if (!choice.calls.empty()) {
    std::string calls = "[";
    for (const auto& [position, call] : choice.calls) {
      if (calls.size() > 1) calls.push_back(',');
      const bool custom = call.type == "custom";
      std::string inside = "{";
      append_text_member(inside, "name", call.name);
      append_text_member(inside, custom ? "input" : "arguments", call.input);
      std::string json = "{";
      append_text_member(json, "id", call.id);
      append_text_member(json, "type", call.type.empty() ? "function" : call.type);
      append_member(json, custom ? "custom" : "function", inside + "}");
      for (const auto& [key, value] : call.others) append_member(json, key, value);
      calls.append(json).push_back('}');
    }
    append_member(message, "tool_calls", calls + "]");
  }
  message.push_back('}');
  return message;
}

void CompletionAssembler::append_choice(std::string& out, std::int64_t index, const Choice& choice) const {
  std::string json = "{";
  append_member(json, "index", std::to_string(index));
  if (form_.has_messages) {
    append_member(json, "message", message_of(choice));
  } else {
    for (const auto& [name, text] : choice.texts) append_text_member(json, name, text);
  }
  if (choice.has_logprobs) {
    std::string logprobs = "{";
    for (const auto& [name, items] : choice.logprobs)
      append_member(logprobs, name, items.empty() ? "null" : "[" + items + "]");
    append_member(json, "logprobs", logprobs + "}");
  }
  append_text_member(json, "finish_reason", choice.finish);
  for (const auto& [name, value] : choice.others) append_member(json, name, value);
  out.append(json).push_back('}');
}

std::variant<Kept, NotKept> CompletionAssembler::finish(JsonReader& reader, const Question& question) const {
  if (!fault_.empty()) return fault_;
  if (!done_) return NotKept("incomplete");
  std::string completion = "{";
  append_text_member(completion, "id", id_);
  append_text_member(completion, "object", form_.object);
  append_member(completion, "created", std::to_string(created_));
  for (const auto& [name, json] : top_) append_member(completion, name, json);
  std::string choices = "[";
  for (const auto& [index, choice] : choices_) {
    if (choices.size() > 1) choices.push_back(',');
    append_choice(choices, index, choice);
  }
  append_member(completion, "choices", choices + "]");
  if (!usage_.empty()) append_member(completion, "usage", usage_);
  completion.push_back('}');
  return keep_completion(form_, reader, completion, question.traits.choices);  // The same rules for both kinds.
}

}  // namespace sosie::protocol
