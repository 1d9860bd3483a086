#include "protocol/messages_turns.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/conversation.h"
#include "protocol/messages_json.h"
#include "text/utf8.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

/// A block of content, or the string that stands for one text.
struct Block {
  std::string_view type, text;
  dom::element whole;
  std::optional<dom::object> members;  ///< Unset: the string.
};

/// A message, or a part of one: what a tool gave back is a turn of its own.
struct Turn {
  Role role = Role::user;
  std::size_t begin = 0, end = 0;      ///< Its blocks.
  std::optional<dom::object> message;  ///< For its further members: of the first of its turns.
};

/// Blocks without what says only how to cache them. Thread-safety: none.
class Uncached {
 public:
  /// Lives until the next call.
  dom::element operator()(dom::element block) {
    dom::object members;
    if (block.get_object().get(members) != simdjson::SUCCESS || !mentions_cache(members)) return block;
    text_.clear();
    append(members);
    return reader_.read_copy(text_).value_or(block);
  }

 private:
  static constexpr std::string_view kCacheControl = "cache_control";

  static bool mentions_cache(const dom::object& block) {
    return std::any_of(block.begin(), block.end(), [](const dom::key_value_pair& member) {
      dom::array inner;
      dom::object source;
      if (member.key == kCacheControl) return true;
      if (member.key == "content" && member.value.get_array().get(inner) == simdjson::SUCCESS)
        return std::any_of(inner.begin(), inner.end(), [](dom::element each) {
          dom::object object;
          return each.get_object().get(object) == simdjson::SUCCESS && mentions_cache(object);
        });
      return member.key == "source" && member.value.get_object().get(source) == simdjson::SUCCESS &&
             mentions_cache(source);
    });
  }

  void append(const dom::object& block) {
    ObjectWriter out(text_);
    for (const auto& [key, value] : block) {
      dom::array inner;
      dom::object source;
      if (key == kCacheControl) continue;
      if (key == "content" && value.get_array().get(inner) == simdjson::SUCCESS) {
        char before = '[';
        out.name(key);
        for (const dom::element each : inner) {
          dom::object object;
          text_.push_back(before);
          before = ',';
          each.get_object().get(object) == simdjson::SUCCESS ? append(object) : append_json(text_, each);
        }
        text_.append(before == '[' ? "[]" : "]");
      } else if (key == "source" && value.get_object().get(source) == simdjson::SUCCESS) {
        out.name(key);
        append(source);
      } else {
        out.json(key, value);
      }
    }
  }

  JsonReader reader_;
  std::string text_;
};

BadRequest bad(std::string_view what) { return unreadable(std::string(what), "messages"); }

/// A conversation, taken apart before anything of it is written: what is the last turn of the user's shows only at its
/// end.
class Conversation {
 public:
  Conversation(Question& question, Scope& scope) : question_(question), scope_(scope) {}

  std::optional<BadRequest> take_system(dom::element system) {
    dom::array blocks;
    if (!system.is_string() && system.get_array().get(blocks) != simdjson::SUCCESS)
      return unreadable("'system' must be a string or an array of text blocks", "system");
    Turn& turn = begin(Role::system);
    if (auto fault = take_content(system, "system")) return fault;
    turn.end = blocks_.size();
    if (turn.begin == turn.end) turns_.pop_back();
    return std::nullopt;
  }

  std::optional<BadRequest> take_messages(dom::element value) {
    dom::array messages;
    if (value.get_array().get(messages) != simdjson::SUCCESS) return bad("'messages' must be an array");
    if (messages.size() == 0) return bad("'messages' must not be empty");
    if (messages.size() > kMostParts) return too_long("messages");
    for (const dom::element message : messages)
      if (auto fault = take_message(message)) return fault;
    return std::nullopt;
  }

  void write() {
    const auto is_asked = [](const Turn& turn) { return turn.role == Role::user; };
    const auto found = std::find_if(turns_.rbegin(), turns_.rend(), is_asked);
    const std::size_t asked =
        found == turns_.rend() ? turns_.size() : static_cast<std::size_t>(turns_.rend() - found) - 1;
    write_part("history", 0, asked, asked);
    write_part("last_turn", asked, turns_.size(), asked);
    question_.traits.open_turn = asked + 1 != turns_.size();
    // Only here does the answer go on in the middle of what is begun.
    if (turns_.back().role == Role::assistant) scope_.add("messages.answer_begun", std::string_view("true"));
    question_.traits.no_text = text::is_blank(question_.prompt);
  }

 private:
  Turn& begin(Role role) {
    Turn& turn = turns_.emplace_back();
    turn.role = role;
    turn.begin = turn.end = blocks_.size();
    return turn;
  }

  /// Content into blocks.
  std::optional<BadRequest> take_content(dom::element content, std::string_view param) {
    std::string_view text;
    dom::array blocks;
    if (content.get_string().get(text) == simdjson::SUCCESS) {
      if (!text.empty()) blocks_.push_back({"text", text, content, std::nullopt});
      return std::nullopt;
    }
    if (content.get_array().get(blocks) != simdjson::SUCCESS)
      return unreadable("'content' must be a string or an array of blocks", std::string(param));
    if (blocks.size() > kMostParts) return too_long(param);
    for (const dom::element each : blocks) {
      dom::object members;
      if (each.get_object().get(members) != simdjson::SUCCESS || text_in(members, "type").empty())
        return unreadable("each block must be an object with a string 'type'", std::string(param));
      if (has_duplicate_keys(members)) return BadRequest{"a block repeats a key", std::string(param)};
      Block block{text_in(members, "type"), text_in(members, "text"), each, members};
      if (block.type == "text" && members["text"].get_string().error() != simdjson::SUCCESS)
        return unreadable("a block of type 'text' must have a string 'text'", std::string(param));
      blocks_.push_back(block);
    }
    return std::nullopt;
  }

  std::optional<BadRequest> take_message(dom::element value) {
    dom::object message;
    dom::element content;
    if (value.get_object().get(message) != simdjson::SUCCESS) return bad("each message must be an object");
    if (has_duplicate_keys(message)) return BadRequest{"a message repeats a key", "messages"};
    const std::string_view name = text_in(message, "role");
    if (name != "user" && name != "assistant" && name != "system")
      return bad("a message's 'role' must be user or assistant");
    if (message["content"].get(content) != simdjson::SUCCESS) return bad("a message must have 'content'");
    const Role role = name == "user" ? Role::user : name == "system" ? Role::system : Role::assistant;
    const std::size_t first_turn = turns_.size(), first = blocks_.size();
    if (auto fault = take_content(content, "messages")) return fault;
    for (std::size_t i = first; i < blocks_.size(); ++i) {
      const bool is_result = role == Role::user && blocks_[i].type == "tool_result" && blocks_[i].members;
      if (is_result || turns_.size() == first_turn || turns_.back().role != role)
        begin(is_result ? Role::tool : role).begin = i;
      turns_.back().end = i + 1;
    }
    if (turns_.size() == first_turn) begin(role);  // It says nothing, but it is a turn.
    turns_[first_turn].message = message;
    return std::nullopt;
  }

  void write_part(std::string_view name, std::size_t from, std::size_t to, std::size_t asked) {
    std::string& part = scope_.open(name);
    const std::size_t before = part.size();
    Turns out(part);
    for (std::size_t i = from; i < to; ++i) {
      const Turn& turn = turns_[i];
      i == asked ? out.begin_asked(question_.prompt) : out.begin(turn.role);
      for (std::size_t j = turn.begin; j < turn.end; ++j) write_block(out, blocks_[j]);
      if (turn.message) write_fields(out, *turn.message, {"role", "content"});
      out.end();
    }
    part.size() == before ? scope_.drop() : scope_.close();
  }

  /// What a message or a block says besides what is known of it.
  static void write_fields(Turns& out, const dom::object& members, std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : members)
      if (key != "cache_control" && !says_nothing(value) && std::find(known.begin(), known.end(), key) == known.end())
        out.field(key, value);
  }

  void write_block(Turns& out, const Block& block) {
    if (block.type == "text") {
      out.text(block.text);
      if (!block.members) return;
      for (const auto& [key, value] : *block.members)
        if (key != "type" && key != "text" && key != "cache_control" && !says_nothing(value)) out.other(key, value);
    } else if (block.type == "tool_use") {
      write_call(out, block);
    } else if (block.type == "tool_result") {
      write_result(out, block);
    } else {
      out.other(block.type, uncached_(block.whole));
    }
  }

  void write_call(Turns& out, const Block& block) {
    dom::element input;
    std::string_view id, name;
    if ((*block.members)["id"].get_string().get(id) != simdjson::SUCCESS ||
        (*block.members)["name"].get_string().get(name) != simdjson::SUCCESS ||
        (*block.members)["input"].get(input) != simdjson::SUCCESS)
      return out.other(block.type, block.whole);  // For the upstream to judge.
    std::string arguments;
    append_json(arguments, input);
    out.tool_call(id, name, arguments);
    for (const auto& [key, value] : *block.members) {
      dom::object caller;
      const bool is_direct = key == "caller" && value.get_object().get(caller) == simdjson::SUCCESS &&
                             caller.size() == 1 && text_in(caller, "type") == "direct";
      const bool is_known = key == "type" || key == "id" || key == "name" || key == "input" || key == "cache_control";
      if (!is_known && !is_direct && !says_nothing(value)) out.other(key, value);
    }
  }

  void write_result(Turns& out, const Block& block) {
    const dom::object& result = *block.members;
    std::string_view id;
    if (result["tool_use_id"].get_string().get(id) != simdjson::SUCCESS) return out.other(block.type, block.whole);
    out.tool_result(id);
    dom::element content;
    dom::array parts;
    std::string_view text;
    if (result["content"].get(content) == simdjson::SUCCESS && !content.is_null()) {
      if (content.get_string().get(text) == simdjson::SUCCESS) {
        out.text(text);
      } else if (content.get_array().get(parts) == simdjson::SUCCESS) {
        for (const dom::element each : parts) write_result_part(out, each);
      } else {
        out.other("content", content);
      }
    }
    dom::element failed;
    const bool says_it_worked = result["is_error"].get(failed) == simdjson::SUCCESS && is_false(failed);
    write_fields(out, result, {"type", "tool_use_id", "content", says_it_worked ? "is_error" : "type"});
  }

  void write_result_part(Turns& out, dom::element value) {
    dom::object members;
    const bool is_block = value.get_object().get(members) == simdjson::SUCCESS;
    const std::string_view type = is_block ? text_in(members, "type") : std::string_view();
    if (type == "text" && members["text"].is_string() && !has_duplicate_keys(members)) {
      write_block(out, {type, text_in(members, "text"), value, members});
    } else {
      out.other(type, uncached_(value));
    }
  }

  Question& question_;
  Scope& scope_;
  std::vector<Block> blocks_;
  std::vector<Turn> turns_;
  Uncached uncached_;
};

}  // namespace

std::optional<BadRequest> read_turns(std::optional<dom::element> system, dom::element messages, Question& question,
                                     Scope& scope) {
  Conversation conversation(question, scope);
  if (system)
    if (auto fault = conversation.take_system(*system)) return fault;
  if (auto fault = conversation.take_messages(messages)) return fault;
  conversation.write();
  return std::nullopt;
}

}  // namespace sosie::protocol::messages
