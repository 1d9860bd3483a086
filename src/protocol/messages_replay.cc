#include "protocol/messages_replay.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "protocol/messages_json.h"
#include "protocol/protocol.h"

namespace sosie::protocol::messages {
namespace {

namespace dom = simdjson::dom;

/// What is known of a message only at its end, and said there.
constexpr std::array<std::string_view, 4> kSaidAtTheEnd{"stop_reason", "stop_sequence", "stop_details", "container"};

bool is_said_at_the_end(std::string_view key) {
  return std::find(kSaidAtTheEnd.begin(), kSaidAtTheEnd.end(), key) != kSaidAtTheEnd.end();
}

/// Writes the events of one stream.
class EventWriter {
 public:
  /// The event's further members are written to the writer that `fill` is called with.
  template <class Fill>
  void event(std::string_view type, const Fill& fill) {
    out.append("event: ").append(type).append("\ndata: ");
    {
      ObjectWriter object(out);
      object.text("type", type);
      fill(object);
    }
    out.append("\n\n");
  }

  /// A piece of a block: `value` is JSON.
  void delta(std::int64_t index, std::string_view type, std::string_view key, std::string_view value) {
    event("content_block_delta", [&](ObjectWriter& object) {
      object.number("index", index);
      ObjectWriter(object.name("delta")).text("type", type).json(key, value);
    });
  }
  void text_delta(std::int64_t index, std::string_view type, std::string_view key, std::string_view text) {
    std::string json;
    append_json_string(json, text);
    delta(index, type, key, json);
  }

  std::string out;
};

void write_start(EventWriter& events, const dom::object& message) {
  events.event("message_start", [&](ObjectWriter& object) {
    ObjectWriter start(object.name("message"));
    start.text("id", new_id("msg_"));
    bool has_usage = false;
    for (const auto& [key, value] : message) {
      dom::object usage;
      if (key == "id") continue;
      if (key == "content") {
        start.json(key, "[]");
      } else if (is_said_at_the_end(key)) {
        start.json(key, "null");
      } else if (key == "usage" && value.get_object().get(usage) == simdjson::SUCCESS) {
        has_usage = true;
        ObjectWriter counts(start.name(key));
        for (const auto& [name, count] : usage)
          name == "output_tokens" ? counts.number(name, 1) : counts.json(name, count);  // So few are out by now.
      } else {
        start.json(key, value);
      }
    }
    // The official clients read it unasked.
    if (!has_usage) ObjectWriter(start.name("usage")).number("input_tokens", 0).number("output_tokens", 0);
  });
}

/// A block's beginning: its members, but those that come in pieces empty.
void write_block_start(EventWriter& events, std::int64_t index, const dom::object& block, std::string_view type) {
  events.event("content_block_start", [&](ObjectWriter& object) {
    object.number("index", index);
    ObjectWriter start(object.name("content_block"));
    for (const auto& [key, value] : block) {
      const bool is_text =
          (type == "text" && key == "text") || (type == "thinking" && (key == "thinking" || key == "signature"));
      if (is_text && value.is_string()) {
        start.text(key, "");
      } else if (type == "text" && key == "citations" && value.is_array()) {
        start.json(key, "[]");
      } else if (type == "tool_use" && key == "input") {
        start.json(key, "{}");
      } else {
        start.json(key, value);
      }
    }
  });
}

void write_block(EventWriter& events, std::int64_t index, const dom::object& block) {
  const std::string_view type = text_in(block, "type");
  write_block_start(events, index, block, type);
  if (type == "text") {
    dom::array citations;
    for (const std::string_view piece : cut_at_words(text_in(block, "text")))
      events.text_delta(index, "text_delta", "text", piece);
    if (block["citations"].get_array().get(citations) == simdjson::SUCCESS) {
      for (const dom::element citation : citations) {
        std::string json;
        append_json(json, citation);
        events.delta(index, "citations_delta", "citation", json);
      }
    }
  } else if (type == "thinking") {
    for (const std::string_view piece : cut_at_words(text_in(block, "thinking")))
      events.text_delta(index, "thinking_delta", "thinking", piece);
    const std::string_view signature = text_in(block, "signature");
    if (!signature.empty()) events.text_delta(index, "signature_delta", "signature", signature);
  } else if (type == "tool_use") {
    std::string input;
    dom::element value;
    if (block["input"].get(value) == simdjson::SUCCESS) append_json(input, value);
    events.text_delta(index, "input_json_delta", "partial_json", "");
    if (input != "{}")
      for (const std::string_view piece : cut_at_words(input))
        events.text_delta(index, "input_json_delta", "partial_json", piece);
  }
  events.event("content_block_stop", [index](ObjectWriter& object) { object.number("index", index); });
}

void write_end(EventWriter& events, const dom::object& message) {
  events.event("message_delta", [&message](ObjectWriter& object) {
    dom::object usage;
    dom::element value;
    {
      ObjectWriter delta(object.name("delta"));
      for (const std::string_view key : kSaidAtTheEnd) {
        if (message[key].get(value) == simdjson::SUCCESS) {
          delta.json(key, value);
        } else if (key == "stop_sequence") {
          delta.json(key, "null");
        }
      }
    }
    ObjectWriter counts(object.name("usage"));
    const bool has_usage = message["usage"].get_object().get(usage) == simdjson::SUCCESS;
    if (has_usage && usage["output_tokens"].get(value) == simdjson::SUCCESS) {
      counts.json("output_tokens", value);
    } else {
      counts.number("output_tokens", 0);
    }
    constexpr std::array<std::string_view, 5> kCumulative{"input_tokens", "cache_creation_input_tokens",
                                                          "cache_read_input_tokens", "output_tokens_details",
                                                          "server_tool_use"};
    if (has_usage)
      for (const std::string_view key : kCumulative)
        if (usage[key].get(value) == simdjson::SUCCESS && !value.is_null()) counts.json(key, value);
  });
  events.event("message_stop", [](ObjectWriter&) {});
}

}  // namespace

std::optional<std::string> stream_of_message(dom::element message) {
  dom::object members;
  dom::array content;
  if (message.get_object().get(members) != simdjson::SUCCESS || text_in(members, "type") != "message" ||
      members["content"].get_array().get(content) != simdjson::SUCCESS)
    return std::nullopt;
  EventWriter events;
  write_start(events, members);
  std::int64_t index = 0;
  for (const dom::element each : content) {
    dom::object block;
    if (each.get_object().get(block) != simdjson::SUCCESS) return std::nullopt;
    write_block(events, index++, block);
  }
  write_end(events, members);
  return std::move(events.out);
}

}  // namespace sosie::protocol::messages
