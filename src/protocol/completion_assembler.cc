#include "protocol/completion_assembler.h"

#include <algorithm>

#include "protocol/completion_answer.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kMostNames = 256;  // Of one list of members.

/// What overwrites nothing that has been said before.
bool is_nothing(dom::element value) {
  std::string_view text;
  return value.is_null() || is_empty(value) || (value.get_string().get(text) == simdjson::SUCCESS && text.empty());
}

bool is_nothing(std::string_view json) { return json.empty() || json == "null" || json == "\"\"" || json == "[]" || json == "{}"; }

/// Whether there is a number other than 0.
bool counts_something(dom::element usage) {
  double number = 0;
  dom::object members;
  if (usage.get_double().get(number) == simdjson::SUCCESS) return number != 0;
  return usage.get_object().get(members) == simdjson::SUCCESS &&
         std::any_of(members.begin(), members.end(), [](const dom::key_value_pair& each) { return counts_something(each.value); });
}

/// Of a field, for whoever reads why an answer was not kept: an upstream may call one anything.
std::string name_of(std::string_view key) { return key.empty() ? "\"\"" : std::string(text::prefix_of(key, 64)); }

/// A list that comes in pieces.
bool is_joined_list(std::string_view name) noexcept { return name == "content" || name == "reasoning_details"; }

/// Of what is said anew with each chunk, the last word counts: Azure's filters on the text so far, say.
void take_last(std::string& last, dom::element value) {
  if (is_nothing(value) && !last.empty()) return;
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

Assembler::ForUsage CompletionAssembler::add(JsonReader& reader, std::string_view event, std::string_view data) {
  if (event == "error") {
    unreadable_ = failed_ = true;
    give_up(Reason::error_inside, "error");
    return ForUsage::nothing;
  }
  if (data == "[DONE]") {
    done_ = true;
    return ForUsage::nothing;
  }
  if (done_) {
    give_up(Reason::after_done, "[DONE]");
    return ForUsage::nothing;
  }
  const auto root = reader.read_copy(data);
  dom::object chunk;
  if (!root || root->get_object().get(chunk) != simdjson::SUCCESS) {
    unreadable_ = true;
    give_up(Reason::not_json, "data");
    return ForUsage::nothing;
  }
  note_ends(chunk);  // Worth knowing even when all is lost already.
  if (fault_.empty()) read_chunk(chunk);
  dom::element usage;
  if (chunk["usage"].get(usage) != simdjson::SUCCESS) return ForUsage::nothing;
  if (usage.is_null()) return ForUsage::member;
  dom::array choices;
  const bool alone = chunk["choices"].get_array().get(choices) == simdjson::SUCCESS && choices.size() == 0 && usage.is_object();
  return alone ? ForUsage::event : ForUsage::nothing;
}

void CompletionAssembler::note_ends(const dom::object& chunk) {
  dom::element error;
  if (chunk["error"].get(error) == simdjson::SUCCESS && !error.is_null()) unreadable_ = failed_ = true;
  dom::array choices;
  if (chunk["choices"].get_array().get(choices) != simdjson::SUCCESS) return;
  for (const dom::element choice : choices) {
    std::int64_t index = 0;
    std::string_view why;
    static_cast<void>(choice["index"].get_int64().get(index));
    static_cast<void>(choice["finish_reason"].get_string().get(why));
    bool& ended = ended_[index];
    ended = ended || !why.empty();
  }
}

void CompletionAssembler::forget() {
  give_up(Reason::too_long, kWholeAnswer);
  choices_.clear();
  top_.clear();
}

bool CompletionAssembler::ended() const noexcept {
  return !unreadable_ && !ended_.empty() &&
         std::all_of(ended_.begin(), ended_.end(), [](const auto& each) { return each.second; });
}

void CompletionAssembler::read_chunk(const dom::object& chunk) {
  for (const auto& [key, value] : chunk) {
    if (value.is_null()) continue;
    std::string_view text;
    std::int64_t number = 0;
    dom::array choices;
    if (key == "error") return give_up(Reason::error_inside, key);
    if (key == "id") {
      if (id_.empty() && value.get_string().get(text) == simdjson::SUCCESS) id_ = text;
    } else if (key == "created") {
      if (value.get_int64().get(number) == simdjson::SUCCESS && number != 0) created_ = number;
    } else if (key == "choices") {
      if (value.get_array().get(choices) != simdjson::SUCCESS) return give_up(Reason::not_a_completion, key);
      for (const dom::element each : choices) {
        dom::object choice;
        if (each.get_object().get(choice) != simdjson::SUCCESS) return give_up(Reason::not_a_completion, key);
        read_choice(choice);
      }
    } else if (key == "usage") {
      if (!value.is_object()) continue;
      const bool counts = counts_something(value);  // Some send it with every chunk; the last is the whole.
      if (used_ && !counts) continue;
      used_ = counts;
      usage_.clear();
      append_json(usage_, value);
    } else if (key != "object" && key != "obfuscation") {  // Padding belongs to the chunk, not to the answer.
      take_last(value_of(top_, key), value);
    }
  }
}

std::string& CompletionAssembler::value_of(Members& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(), [name](const auto& each) { return each.first == name; });
  if (found != members.end()) return found->second;
  if (members.size() < kMostNames) return members.emplace_back(std::string(name), std::string()).second;
  give_up(Reason::too_many_fields, name_of(name));
  return members.back().second;
}

bool CompletionAssembler::take_whole(Members& members, std::string_view key, dom::element value) {
  std::string json;
  append_json(json, value);
  std::string& whole = value_of(members, key);
  if (is_nothing(whole)) whole = std::move(json);
  else if (!is_nothing(value)) return whole == json;
  return true;
}

void CompletionAssembler::read_choice(const dom::object& choice) {
  std::int64_t index = 0;
  dom::element number;
  if (choice["index"].get(number) == simdjson::SUCCESS && number.get_int64().get(index) != simdjson::SUCCESS)
    return give_up(Reason::not_a_completion, "choices.index");
  Choice& into = choices_[index];
  for (const auto& [key, value] : choice) {
    dom::object object;
    std::string_view text;
    if (value.is_null() || key == "index" || belongs_to_the_chunk(key)) continue;
    if (key == "delta" && form_.has_messages) {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up(Reason::not_a_completion, "choices.delta");
      read_delta(into, object);
    } else if (key == "finish_reason") {
      if (value.get_string().get(text) != simdjson::SUCCESS) return give_up(Reason::finish_reason, "choices.finish_reason");
      if (!text.empty()) into.finish = text;
    } else if (key == "logprobs") {
      if (value.get_object().get(object) != simdjson::SUCCESS) return give_up(Reason::split_logprobs, "choices.logprobs");
      read_logprobs(into, object);
    } else if (key == "text" && !form_.has_messages) {
      if (value.get_string().get(text) != simdjson::SUCCESS) return give_up(Reason::not_a_completion, "choices.text");
      value_of(into.texts, key).append(text);
    } else if (key == "content_filter_results") {
      take_last(value_of(into.others, key), value);
    } else if (key == "message" || key == "delta" || key == "text" || !take_whole(into.others, key, value)) {
      return give_up(Reason::unknown_choice_field, "choices." + name_of(key));
    }
  }
}

void CompletionAssembler::read_delta(Choice& into, const dom::object& delta) {
  for (const auto& [key, value] : delta) {
    std::string_view text;
    dom::array items;
    if (value.is_null() || key == "role") continue;
    if (key == "tool_calls") {
      if (value.get_array().get(items) != simdjson::SUCCESS) return give_up(Reason::tool_calls, "choices.delta.tool_calls");
      read_tool_calls(into, items);
    } else if (key == "function_call") {
      if (!into.function_call) into.function_call.emplace();
      if (!read_function(*into.function_call, value, "arguments")) return give_up(Reason::tool_calls, "choices.delta.function_call");
    } else if (is_joined_text(key) && value.get_string().get(text) == simdjson::SUCCESS) {
      read_text(into, key, text);
    } else if (is_joined_list(key) && value.get_array().get(items) == simdjson::SUCCESS) {
      read_list(into, key, items);
    } else if (!take_whole(into.values, key, value)) {
      return give_up(Reason::unknown_delta, "choices.delta." + name_of(key));
    }
  }
}

void CompletionAssembler::read_text(Choice& into, std::string_view key, std::string_view text) {
  const auto list = into.lists.find(key);
  if (list == into.lists.end()) {
    value_of(into.texts, key).append(text);
  } else if (!text.empty()) {
    list->second.add_text(text);
  }
}

void CompletionAssembler::read_list(Choice& into, std::string_view key, const dom::array& pieces) {
  const auto [list, is_new] = into.lists.try_emplace(std::string(key));
  const auto text = std::find_if(into.texts.begin(), into.texts.end(), [key](const auto& each) { return each.first == key; });
  if (is_new && text != into.texts.end()) {
    if (!text->second.empty()) list->second.add_text(text->second);
    into.texts.erase(text);
  }
  if (!list->second.add(pieces)) give_up(Reason::unknown_delta, "choices.delta." + name_of(key));
}

void CompletionAssembler::read_tool_calls(Choice& into, const dom::array& calls) {
  for (const dom::element each : calls) {
    std::int64_t index = 0;  // Who counts none gives each call an id.
    dom::object piece;
    dom::element number;
    if (each.get_object().get(piece) != simdjson::SUCCESS) return give_up(Reason::tool_calls, "choices.delta.tool_calls");
    if (piece["index"].get(number) == simdjson::SUCCESS && !number.is_null() && number.get_int64().get(index) != simdjson::SUCCESS)
      return give_up(Reason::tool_calls, "choices.delta.tool_calls.index");
    Call& call = call_of(into, index, piece);
    for (const auto& [key, value] : piece)
      if (!value.is_null() && key != "index" && !read_call_member(call, key, value))
        return give_up(Reason::tool_calls, "choices.delta.tool_calls." + name_of(key));
  }
}

/// Some upstreams give all calls the same index: a new id with a new name begins another one.
CompletionAssembler::Call& CompletionAssembler::call_of(Choice& into, std::int64_t index, const dom::object& piece) {
  std::string_view id, name;
  static_cast<void>(piece["id"].get_string().get(id));
  for (const std::string_view kind : {"function", "custom"})
    if (name.empty()) static_cast<void>(piece[kind]["name"].get_string().get(name));
  const auto latest = into.latest_call.find(index);
  if (latest != into.latest_call.end()) {
    Call& open = into.calls[latest->second];
    if (id.empty() || id == open.id) return open;
    const auto known = into.call_of_id.find({index, std::string(id)});
    if (known != into.call_of_id.end()) return into.calls[known->second];
    if (open.id.empty() || name.empty()) {
      into.call_of_id.try_emplace({index, std::string(id)}, latest->second);
      return open;
    }
  }
  into.latest_call[index] = into.calls.size();
  if (!id.empty()) into.call_of_id.try_emplace({index, std::string(id)}, into.calls.size());
  Call& call = into.calls.emplace_back();
  call.index = index;
  return call;
}

bool CompletionAssembler::read_call_member(Call& call, std::string_view key, dom::element value) {
  std::string_view text;
  if (key == "id" || key == "type") {
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    if (key == "type" && !text.empty()) call.type = text;
    if (key == "id" && call.id.empty()) call.id = text;
    return true;
  }
  if (key == "custom") call.type = "custom";
  if (key == "custom" || key == "function") return read_function(call.function, value, key == "custom" ? "input" : "arguments");
  return take_whole(call.others, key, value);
}

bool CompletionAssembler::read_function(Function& into, dom::element value, std::string_view said) {
  dom::object members;
  if (value.get_object().get(members) != simdjson::SUCCESS) return false;
  for (const auto& [key, inner] : members) {
    std::string_view text;
    if (inner.is_null()) continue;
    if (key == said && inner.is_object()) {
      append_json(into.said, inner);  // The whole arguments, not written as a text.
      continue;
    }
    if (inner.get_string().get(text) != simdjson::SUCCESS) return false;
    if (key == said) {
      into.said.append(text);
    } else if (key != "name") {
      return false;
    } else if (into.name != text) {
      into.name.append(text);  // Sent once, in pieces, or again with every chunk.
    }
  }
  return true;
}

void CompletionAssembler::read_logprobs(Choice& into, const dom::object& logprobs) {
  into.has_logprobs = true;
  for (const auto& [key, value] : logprobs) {
    dom::array items;
    std::string& joined = value_of(into.logprobs, key);
    if (value.is_null()) continue;
    if (value.get_array().get(items) != simdjson::SUCCESS) return give_up(Reason::split_logprobs, "choices.logprobs." + name_of(key));
    for (const dom::element item : items) {
      if (!joined.empty()) joined.push_back(',');
      append_json(joined, item);
    }
  }
}

std::string CompletionAssembler::message_of(const Choice& choice) {
  std::string message = R"({"role":"assistant")";
  const auto is_content = [](const auto& each) { return each.first == "content"; };
  const bool has_content = choice.lists.contains("content") || std::any_of(choice.texts.begin(), choice.texts.end(), is_content);
  if (!has_content) append_member(message, "content", "null");
  for (const auto& [name, text] : choice.texts) append_text_member(message, name, text);
  for (const auto& [name, list] : choice.lists) {
    std::string json;
    list.append(json);
    append_member(message, name, json);
  }
  for (const auto& [name, json] : choice.values) append_member(message, name, json);
  const auto function_of = [](const Function& function, std::string_view said) {
    std::string json = "{";
    append_text_member(json, "name", function.name);
    append_text_member(json, said, function.said);
    return json + "}";
  };
  if (choice.function_call) append_member(message, "function_call", function_of(*choice.function_call, "arguments"));
  if (!choice.calls.empty()) {
    std::vector<const Call*> in_order;
    for (const Call& call : choice.calls) in_order.push_back(&call);
    std::sort(in_order.begin(), in_order.end(), [](const Call* a, const Call* b) { return a->index != b->index ? a->index < b->index : a < b; });
    std::string calls = "[";
    for (const Call* call : in_order) {
      if (calls.size() > 1) calls.push_back(',');
      const bool custom = call->type == "custom";
      std::string json = "{";
      append_text_member(json, "id", call->id);
      append_text_member(json, "type", call->type.empty() ? "function" : call->type);
      append_member(json, custom ? "custom" : "function", function_of(call->function, custom ? "input" : "arguments"));
      for (const auto& [key, value] : call->others) append_member(json, key, value);
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
  if (!done_) return NotKept(Reason::incomplete, "[DONE]");
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
  auto kept = keep_completion(form_, reader, completion, question.traits.choices);  // The same rules for both kinds.
  if (auto* whole = std::get_if<Kept>(&kept); whole != nullptr && usage_.empty()) mark_without_usage(form_, whole->answer);
  return kept;
}

}  // namespace sosie::protocol
