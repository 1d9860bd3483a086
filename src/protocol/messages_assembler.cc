#include "protocol/messages_assembler.h"

#include <algorithm>

#include "protocol/messages_answer.h"
#include "protocol/messages_json.h"
#include "text/utf8.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;
using Members = std::vector<std::pair<std::string, std::string>>;

constexpr std::string_view kNull = "null";

constexpr std::size_t kMostNames = 256;  // Of one list of members.

/// Of a field or an event, for whoever reads why an answer was not kept: an upstream may call one anything.
std::string name_of(std::string_view name) { return name.empty() ? "\"\"" : std::string(text::prefix_of(name, 64)); }

bool says_nothing_new(dom::element value) {
  double number = 1;
  std::string_view text;
  return says_nothing(value) || (value.get_double().get(number) == simdjson::SUCCESS && number == 0) ||
         (value.get_string().get(text) == simdjson::SUCCESS && text.empty());
}

void set_json(Members& members, std::string_view name, std::string json) {
  const auto found = std::find_if(members.begin(), members.end(), [name](const auto& each) { return each.first == name; });
  if (found != members.end()) {
    found->second = std::move(json);
  } else {
    members.emplace_back(std::string(name), std::move(json));
  }
}

/// What was joined in pieces becomes the member's value.
void set_text(Members& members, std::string_view name, std::string_view text) {
  std::string json;
  append_json_string(json, text);
  set_json(members, name, std::move(json));
}

void append_members(ObjectWriter& object, const Members& members) {
  for (const auto& [name, json] : members) object.json(name, std::string_view(json));
}

/// Some servers send their error without a type.
bool says_error(const dom::object& event, std::string_view type) {
  dom::element error;
  return type.empty() && event["error"].get(error) == simdjson::SUCCESS && !error.is_null();
}

bool piece_of(const dom::object& delta, std::string_view name, std::string& joined) {
  std::string_view piece;
  if (delta[name].get_string().get(piece) != simdjson::SUCCESS) return false;
  joined.append(piece);
  return true;
}

}  // namespace

std::string& MessageAssembler::value_of(Members& members, std::string_view name) {
  const auto found = std::find_if(members.begin(), members.end(), [name](const auto& each) { return each.first == name; });
  if (found != members.end()) return found->second;
  if (members.size() < kMostNames) return members.emplace_back(std::string(name), std::string(kNull)).second;
  give_up(Reason::too_many_fields, name_of(name));
  return members.back().second;
}

void MessageAssembler::set(Members& members, std::string_view name, dom::element value) {
  std::string& json = value_of(members, name);
  json.clear();
  append_json(json, value);
}

void MessageAssembler::update(Members& members, std::string_view name, dom::element value) {
  const bool is_new = value_of(members, name) == kNull;
  if (is_new || !says_nothing_new(value)) set(members, name, value);
}

Assembler::ForUsage MessageAssembler::add(JsonReader& reader, std::string_view event, std::string_view data) {
  if (data == "[DONE]") return ForUsage::nothing;  // Some servers end every stream so.
  const auto root = reader.read_copy(data);
  dom::object members;
  if (!root || root->get_object().get(members) != simdjson::SUCCESS) {
    broken_ = true;
    give_up(Reason::not_json, "data");
    return ForUsage::nothing;
  }
  std::string_view type = text_in(members, "type");
  if (type.empty()) type = event;
  if (type == "ping") return ForUsage::nothing;
  if (done_) {
    give_up(Reason::after_done, "message_stop");
  } else if (type == "message_stop") {
    done_ = true;
  } else if (type == "error" || says_error(members, type)) {
    broken_ = failed_ = true;
    give_up(Reason::error_inside, "error");
  } else {
    read(members, type);
  }
  return ForUsage::nothing;
}

void MessageAssembler::forget() {
  give_up(Reason::too_long, kWholeAnswer);
  blocks_.clear();
  top_.clear();
}

void MessageAssembler::read(const dom::object& event, std::string_view type) {
  if (type == "message_start") return start_message(event);
  if (!started_) return give_up(Reason::not_a_message, "message_start");
  if (type == "content_block_start") return start_block(event);
  if (type == "content_block_delta") return read_block_delta(event);
  if (type == "message_delta") return read_message_delta(event);
  if (type != "content_block_stop") return give_up(Reason::unknown_event, name_of(type));
  if (Block* block = open_block(event)) block->stopped = true;
}

void MessageAssembler::start_message(const dom::object& event) {
  dom::object message;
  if (started_ || event["message"].get_object().get(message) != simdjson::SUCCESS)
    return give_up(Reason::not_a_message, "message_start");
  started_ = true;
  for (const auto& [key, value] : message) {
    dom::object counts;
    if (key == "content" && !says_nothing(value)) give_up(Reason::not_a_message, "message_start.content");  // Content comes in blocks.
    set(top_, key, value);
    if (key == "usage" && value.get_object().get(counts) == simdjson::SUCCESS)
      for (const auto& [name, count] : counts) set(usage_, name, count);
  }
}

void MessageAssembler::start_block(const dom::object& event) {
  std::uint64_t index = 0;
  dom::object start;
  if (event["index"].get_uint64().get(index) != simdjson::SUCCESS || index != blocks_.size() ||
      event["content_block"].get_object().get(start) != simdjson::SUCCESS)
    return give_up(Reason::not_a_message, "content_block_start");
  Block& block = blocks_.emplace_back();
  block.type = text_in(start, "type");
  for (const auto& [key, value] : start) {
    set(block.members, key, value);
    std::string_view text;
    dom::array citations;
    if (key == block.type && value.get_string().get(text) == simdjson::SUCCESS)
      block.text = text;  // "text", "thinking"
    if (key == "signature" && value.get_string().get(text) == simdjson::SUCCESS) block.signature = text;
    if (key == "citations" && value.get_array().get(citations) == simdjson::SUCCESS && citations.size() != 0)
      give_up(Reason::unknown_delta, "content_block_start.citations");  // They come one by one.
  }
}

MessageAssembler::Block* MessageAssembler::open_block(const dom::object& event) {
  std::uint64_t index = 0;
  if (event["index"].get_uint64().get(index) == simdjson::SUCCESS && index < blocks_.size() && !blocks_[index].stopped)
    return &blocks_[index];
  give_up(Reason::not_a_message, "index");
  return nullptr;
}

void MessageAssembler::read_block_delta(const dom::object& event) {
  Block* block = open_block(event);
  dom::object delta;
  if (!block) return;
  if (event["delta"].get_object().get(delta) != simdjson::SUCCESS) return give_up(Reason::unknown_delta, "content_block_delta.delta");
  const std::string_view type = text_in(delta, "type");
  dom::element citation;
  bool known = false;
  if (type == "text_delta" || type == "thinking_delta") {
    const std::string_view name = type.substr(0, type.find('_'));
    known = block->type == name && piece_of(delta, name, block->text);
  } else if (type == "signature_delta") {
    block->signature.clear();  // The last one counts.
    known = piece_of(delta, "signature", block->signature);
  } else if (type == "input_json_delta") {
    known = piece_of(delta, "partial_json", block->input);
  } else if (type == "citations_delta" && delta["citation"].get(citation) == simdjson::SUCCESS) {
    if (!block->citations.empty()) block->citations.push_back(',');
    append_json(block->citations, citation);
    known = true;
  }
  if (!known) give_up(Reason::unknown_delta, "content_block_delta." + name_of(type));
}

void MessageAssembler::read_message_delta(const dom::object& event) {
  for (const auto& [key, value] : event) {
    dom::object members;
    if (key == "type") continue;
    if (key == "delta" || key == "usage") {
      if (value.get_object().get(members) != simdjson::SUCCESS) {
        if (!value.is_null()) give_up(Reason::unknown_delta, "message_delta." + name_of(key));
        continue;
      }
      for (const auto& [name, inner] : members) {
        if (key == "delta") {
          update(top_, name, inner);
        } else {
          update(usage_, name, inner);
        }
      }
      said_why_ = said_why_ || (key == "delta" && !text_in(members, "stop_reason").empty());
    } else {
      set(top_, key, value);  // What is said of the whole message, too: how its context was managed.
    }
  }
}

bool MessageAssembler::ended() const noexcept {
  return !broken_ && said_why_ &&
         std::all_of(blocks_.begin(), blocks_.end(), [](const Block& block) { return block.stopped; });
}

std::variant<Kept, NotKept> MessageAssembler::finish(JsonReader& reader, const Question& /*question*/) const {
  if (!fault_.empty()) return fault_;
  if (!done_) return NotKept(Reason::incomplete, "message_stop");
  if (usage_.empty()) return NotKept(Reason::no_usage, "usage");  // Clients count on it.
  if (!ended()) return NotKept(Reason::incomplete, said_why_ ? "content_block_stop" : "message_delta.stop_reason");

  std::string content = "[";
  for (Block block : blocks_) {
    if (content.size() > 1) content.push_back(',');
    if (block.type == "text" || block.type == "thinking") set_text(block.members, block.type, block.text);
    if (!block.signature.empty()) set_text(block.members, "signature", block.signature);
    if (!block.citations.empty()) set_json(block.members, "citations", '[' + block.citations + ']');
    if (!text::is_blank(block.input)) {
      const auto input = reader.read_copy(block.input);
      if (!input) return NotKept(Reason::tool_calls, "content.input");
      std::string json;
      append_json(json, *input);
      set_json(block.members, "input", std::move(json));
    }
    ObjectWriter object(content);
    append_members(object, block.members);
  }
  content.push_back(']');

  Members top = top_;
  set_json(top, "content", std::move(content));
  if (!usage_.empty()) {
    std::string usage;
    {
      ObjectWriter object(usage);
      append_members(object, usage_);
    }
    set_json(top, "usage", std::move(usage));
  }
  std::string message;
  {
    ObjectWriter object(message);
    append_members(object, top);
  }
  const auto whole = reader.read_copy(message);
  if (!whole) return NotKept(Reason::not_json, kWholeAnswer);
  return keep_message(*whole);  // The same rules for both kinds.
}

}  // namespace sosie::protocol::messages
