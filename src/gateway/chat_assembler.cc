#include "gateway/chat_assembler.h"

#include <algorithm>

namespace sosie::gateway {
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

void ChatAssembler::add(JsonReader& reader, std::string_view data) {
  if (data.empty()) return;  // a comment
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

void ChatAssembler::note_ends(const dom::object& chunk) {
  dom::element error;
  if (chunk["error"].get(error) == simdjson::SUCCESS && !error.is_null()) unreadable_ = true;
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

bool ChatAssembler::every_choice_ended(std::int64_t choice_count) const noexcept {
  return !unreadable_ && !ended_.empty() && static_cast<std::int64_t>(ended_.size()) >= choice_count &&
         std::all_of(ended_.begin(), ended_.end(), [](const auto& each) { return each.second; });
}

void ChatAssembler::read_chunk(const dom::object& chunk) {
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

void ChatAssembler::read_choice(const dom::object& choice) {
  std::int64_t index = 0;
  dom::element number;
  if (choice["index"].get(number) == simdjson::SUCCESS && number.get_int64().get(index) != simdjson::SUCCESS)
    return give_up("not_a_completion");
  Choice& into = choices_[index];
  for (const auto& [key, value] : choice) {
    dom::object object;
    std::string_view finish;
    if (value.is_null() || key == "index") continue;
    if (key == "delta") {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up("not_a_completion");
      read_delta(into, object);
    } else if (key == "finish_reason") {
      if (value.get_string().get(finish) != simdjson::SUCCESS) return give_up("finish_reason");
      into.finish = finish;
    } else if (key == "logprobs") {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up("logprobs");
      read_logprobs(into, object);
    } else if (key == "message" || !take_whole(into.others, key, value)) {
      return give_up("unknown_choice_field");
    }
  }
}

void ChatAssembler::read_delta(Choice& into, const dom::object& delta) {
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

void ChatAssembler::read_tool_calls(Choice& into, const dom::array& calls) {
  for (const dom::element each : calls) {
    std::int64_t index = 0;
    if (!each.is_object() || each["index"].get_int64().get(index) != simdjson::SUCCESS) return give_up("tool_calls");
    ToolCall& call = into.calls[index];
    for (const dom::object inside = each.get_object().value_unsafe(); const auto& [key, value] : inside) {
      std::string_view text;
      dom::object function;
      if (value.is_null() || key == "index") continue;
      if (key == "id" && value.get_string().get(text) == simdjson::SUCCESS) {
        if (call.id.empty()) call.id = text;
      } else if (key == "type" && value.get_string().get(text) == simdjson::SUCCESS) {
        call.type = text;
      } else if (key == "function" && value.get_object().get(function) == simdjson::SUCCESS) {
        for (const auto& [name, inner] : function) {
          if (inner.is_null()) continue;
          if (inner.get_string().get(text) != simdjson::SUCCESS) return give_up("tool_calls");
          if (name == "arguments") {
            call.arguments.append(text);
          } else if (name == "name") {
            if (call.name != text) call.name.append(text);  // Sent once, in pieces, or again with every chunk.
          } else {
            return give_up("tool_calls");
          }
        }
      } else {
        return give_up("tool_calls");
      }
    }
  }
}

void ChatAssembler::read_logprobs(Choice& into, const dom::object& logprobs) {
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

void ChatAssembler::append_choice(std::string& out, std::int64_t index, const Choice& choice) {
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
      std::string function = "{";
      append_text_member(function, "name", call.name);
      append_text_member(function, "arguments", call.arguments);
      std::string json = "{";
      append_text_member(json, "id", call.id);
      append_text_member(json, "type", call.type.empty() ? "function" : call.type);
      append_member(json, "function", function + "}");
      calls.append(json).push_back('}');
    }
    append_member(message, "tool_calls", calls + "]");
  }
  message.push_back('}');

  std::string json = "{";
  append_member(json, "index", std::to_string(index));
  append_member(json, "message", message);
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

std::variant<std::string, NotKept> ChatAssembler::finish(JsonReader& reader,
                                                         std::int64_t choice_count) const {
  if (!fault_.empty()) return fault_;
  if (!done_) return NotKept("incomplete");
  std::string completion = "{";
  append_text_member(completion, "id", id_);
  append_text_member(completion, "object", "chat.completion");
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
  return keep_completion(reader, completion, choice_count);  // The same rules for both kinds.
}

}  // namespace sosie::gateway
