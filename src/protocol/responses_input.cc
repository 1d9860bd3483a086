#include "protocol/responses_input.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "protocol/conversation.h"
#include "protocol/json.h"
#include "protocol/openai_fields.h"
#include "text/utf8.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// One element of `input`, its kind spelled out.
struct Item {
  dom::object members;
  dom::element whole;
  std::string_view type;  ///< "message" and "item_reference" also where the caller left it out.
  std::string_view role;  ///< Of a message.
};

std::string_view string_of(const dom::object& object, std::string_view key) {
  std::string_view text = "";
  static_cast<void>(object[key].get_string().get(text));
  return text;
}

/// Whether there is a member of that name, but no string: nothing of it would be written.
bool is_odd(const dom::object& object, std::string_view key) {
  dom::element value;
  return object[key].get(value) == simdjson::SUCCESS && !value.is_null() && !value.is_string();
}

std::optional<Role> role_of(std::string_view name) {
  if (name == "user") return Role::user;
  if (name == "assistant") return Role::assistant;
  if (name == "system" || name == "developer") return Role::system;
  return std::nullopt;
}

bool is_text_part(std::string_view type) { return type == "input_text" || type == "output_text" || type == "text"; }

bool says_nothing(dom::element value) { return value.is_null() || is_empty(value); }

/// What else an object says, sorted. Known, and of no matter, are an item's own id and that it is complete.
std::vector<std::pair<std::string_view, dom::element>> further_members(const dom::object& object,
                                                                       std::initializer_list<std::string_view> known) {
  std::vector<std::pair<std::string_view, dom::element>> others;
  for (const auto& [key, value] : object)
    if (!says_nothing(value) && std::find(known.begin(), known.end(), key) == known.end())
      others.emplace_back(key, value);
  std::sort(others.begin(), others.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  return others;
}

std::optional<BadRequest> read_item(dom::element value, Item& item) {
  item.whole = value;
  if (value.get_object().get(item.members) != simdjson::SUCCESS)
    return unreadable("each item of 'input' must be an object", "input");
  if (has_duplicate_keys(item.members)) return BadRequest{"an item of 'input' repeats a key", "input"};
  for (const std::string_view key : {"type", "role"})
    if (is_odd(item.members, key)) return unreadable("'" + std::string(key) + "' must be a string", "input");
  item.type = string_of(item.members, "type");
  item.role = string_of(item.members, "role");
  if (item.type.empty())
    item.type = !item.role.empty() ? "message" : item.members["id"].error() ? "" : "item_reference";
  if (item.type.empty()) return unreadable("each item of 'input' must have a string 'type' or 'role'", "input");
  if (item.type == "message" && item.role.empty()) return unreadable("a message must have a string 'role'", "input");
  return std::nullopt;
}

/// Items as turns. A turn of the model stays open for what else it did.
class ItemTurns {
 public:
  explicit ItemTurns(std::string& out) : turns_(out) {}

  std::optional<BadRequest> add(const Item& item) {
    if (item.type == "message") return add_message(item);
    if (item.type == "function_call" && is_call(item.members)) {
      add_call(item.members);
      return std::nullopt;
    }
    if (item.type == "function_call_output" && !is_odd(item.members, "call_id")) return add_result(item.members);
    if (item.type.ends_with("_output")) {
      begin(Role::tool);
      turns_.other(item.type, item.whole);
      close();
      return std::nullopt;
    }
    if (item.type == "reasoning") close();  // It is the first of its turn.
    open_model_turn();
    turns_.other(item.type, item.whole);
    only_thought_ = only_thought_ || item.type == "reasoning";
    return std::nullopt;
  }

  void add_instructions(std::string_view text) {
    begin(Role::system);
    turns_.text(text);
    close();
  }

  /// The last message of the user's.
  std::optional<BadRequest> add_asked(const Item& item, std::string& prompt) {
    turns_.begin_asked(prompt);
    open_ = true;
    if (auto bad = add_content(item.members, "content")) return bad;
    add_fields(item.members, {"type", "id", "status", "role", "content"});
    close();
    return std::nullopt;
  }

  void close() {
    if (open_) turns_.end();
    open_ = model_ = only_thought_ = false;
  }

 private:
  void begin(Role role) {
    close();
    turns_.begin(role);
    open_ = true;
    model_ = role == Role::assistant;
  }

  void open_model_turn() {
    if (!model_) begin(Role::assistant);
  }

  std::optional<BadRequest> add_message(const Item& item) {
    const auto role = role_of(item.role);
    if (!role) return unreadable("a message's 'role' must be user, assistant, system or developer", "input");
    if (*role != Role::assistant || !only_thought_) begin(*role);
    only_thought_ = false;
    if (auto bad = add_content(item.members, "content")) return bad;
    add_fields(item.members, {"type", "id", "status", "role", "content"});
    return std::nullopt;
  }

  static bool is_call(const dom::object& call) {
    return !is_odd(call, "call_id") && !is_odd(call, "name") && !is_odd(call, "arguments");
  }

  void add_call(const dom::object& call) {
    open_model_turn();
    only_thought_ = false;
    turns_.tool_call(string_of(call, "call_id"), string_of(call, "name"), string_of(call, "arguments"));
    for (const auto& [key, value] : further_members(call, {"type", "id", "status", "call_id", "name", "arguments"}))
      turns_.other(key, value);
  }

  std::optional<BadRequest> add_result(const dom::object& result) {
    begin(Role::tool);
    turns_.tool_result(string_of(result, "call_id"));
    if (auto bad = add_content(result, "output")) return bad;
    add_fields(result, {"type", "id", "status", "call_id", "output"});
    close();
    return std::nullopt;
  }

  /// A string, or parts.
  std::optional<BadRequest> add_content(const dom::object& members, std::string_view key) {
    dom::element content;
    std::string_view text;
    dom::array parts;
    if (members[key].get(content) != simdjson::SUCCESS || content.is_null()) return std::nullopt;
    if (content.get_string().get(text) == simdjson::SUCCESS) {
      turns_.text(text);
      return std::nullopt;
    }
    if (content.get_array().get(parts) != simdjson::SUCCESS)
      return unreadable("'" + std::string(key) + "' must be a string or an array of parts", "input");
    if (parts.size() > kMostParts) return too_long("input");
    for (const dom::element part : parts)
      if (auto bad = add_part(part)) return bad;
    return std::nullopt;
  }

  std::optional<BadRequest> add_part(dom::element whole) {
    dom::object part;
    dom::element refusal;
    std::string_view type, text;
    if (whole.get_object().get(part) != simdjson::SUCCESS || part["type"].get_string().get(type) != simdjson::SUCCESS)
      return unreadable("each content part must be an object with a string 'type'", "input");
    if (has_duplicate_keys(part)) return BadRequest{"a content part repeats a key", "input"};
    if (type == "refusal" && part.size() == 2 && part["refusal"].get(refusal) == simdjson::SUCCESS) {
      turns_.field("refusal", refusal);  // As a chat's message has it.
      return std::nullopt;
    }
    if (!is_text_part(type)) {
      turns_.other(type, whole);
      return std::nullopt;
    }
    if (part["text"].get_string().get(text) != simdjson::SUCCESS)
      return unreadable("a content part of a text type must have a string 'text'", "input");
    turns_.text(text);
    for (const auto& [key, value] : further_members(part, {"type", "text", "prompt_cache_breakpoint"}))
      turns_.other(key, value);
    return std::nullopt;
  }

  void add_fields(const dom::object& members, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : further_members(members, known)) turns_.field(key, value);
  }

  Turns turns_;
  bool open_ = false, model_ = false, only_thought_ = false;
};

/// Reads `input` where it is a list.
std::optional<BadRequest> read_items(const dom::array& input, std::vector<Item>& items, Question& question) {
  for (const dom::element each : input) {
    Item item;
    if (auto bad = read_item(each, item)) return bad;
    question.traits.hidden_state = question.traits.hidden_state || item.type == "item_reference";
    items.push_back(item);
  }
  return std::nullopt;
}

/// Opens a part that is absent where nothing is written.
template <class Write>
std::optional<BadRequest> write_part(Scope& scope, std::string_view name, const Write& write) {
  std::string& out = scope.open(name);
  const std::size_t before = out.size();
  std::optional<BadRequest> bad = write(out);
  out.size() == before ? scope.drop() : scope.close();
  return bad;
}

}  // namespace

std::optional<BadRequest> read_responses_input(std::optional<dom::element> instructions,
                                               std::optional<dom::element> input, Question& question, Scope& scope) {
  std::vector<Item> items;
  dom::array list;
  std::string_view asked = "", said = "";
  const bool is_string = input && input->get_string().get(asked) == simdjson::SUCCESS;
  if (input && !is_string) {
    if (input->get_array().get(list) != simdjson::SUCCESS)
      return unreadable("'input' must be a string or an array of items", "input");
    if (list.size() > kMostParts) return too_long("input");
    if (auto bad = read_items(list, items, question)) return bad;
  }
  if (instructions && instructions->get_string().get(said) != simdjson::SUCCESS)
    scope.add("responses.instructions", *instructions);

  const auto is_users = [](const Item& item) { return item.type == "message" && item.role == "user"; };
  const auto last = std::find_if(items.rbegin(), items.rend(), is_users);
  // Behind the last message of the user's; 0: there is none.
  const std::size_t behind = static_cast<std::size_t>(items.rend() - last);
  const std::size_t before = behind == 0 ? items.size() : behind - 1;
  auto bad = write_part(scope, "history", [&](std::string& out) -> std::optional<BadRequest> {
    ItemTurns turns(out);
    if (!said.empty()) turns.add_instructions(said);
    for (std::size_t i = 0; i < before; ++i)
      if (auto fault = turns.add(items[i])) return fault;
    turns.close();
    return std::nullopt;
  });
  if (bad) return bad;

  question.prompt = asked;
  if (behind != 0) {
    bad = write_part(scope, "last_turn", [&](std::string& out) -> std::optional<BadRequest> {
      ItemTurns turns(out);
      if (auto fault = turns.add_asked(items[before], question.prompt)) return fault;
      for (std::size_t i = behind; i < items.size(); ++i)
        if (auto fault = turns.add(items[i])) return fault;
      turns.close();
      return std::nullopt;
    });
  }
  question.traits.open_turn = behind < items.size();
  question.traits.no_text = text::is_blank(question.prompt);
  return bad;
}

}  // namespace sosie::protocol
