#include "protocol/responses_replay.h"

#include <initializer_list>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "protocol/protocol.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

std::string_view string_of(const dom::object& object, std::string_view key) {
  std::string_view text = "";
  static_cast<void>(object[key].get_string().get(text));
  return text;
}

/// Empty where there is no array of that name.
std::vector<dom::element> elements_of(const dom::object& object, std::string_view key) {
  dom::array items;
  if (object[key].get_array().get(items) != simdjson::SUCCESS) return {};
  return {items.begin(), items.end()};
}

/// An object with some of its members said differently.
struct Change {
  std::string_view key, json;
};

void append_changed(std::string& out, const dom::object& object, std::initializer_list<Change> changes) {
  char before = '{';
  for (const auto& [key, value] : object) {
    out.push_back(std::exchange(before, ','));
    append_json_string(out, key);
    out.push_back(':');
    bool changed = false;
    for (const Change& change : changes) {
      if (change.key != key) continue;
      out.append(change.json);
      changed = true;
    }
    if (!changed) append_json(out, value);
  }
  out.append(before == '{' ? "{}" : "}");
}

/// Writes the events of one stream.
class EventWriter {
 public:
  /// An event's beginning: its type and number.
  void begin(std::string_view type) {
    out.append("event: ").append(type).append("\ndata: {\"type\":\"").append(type).append(R"(","sequence_number":)");
    append_json_number(out, number_++);
  }
  void end() { out.append("}\n\n"); }

  void text(std::string_view key, std::string_view value) {
    name(key);
    append_json_string(out, value);
  }
  void number(std::string_view key, std::int64_t value) {
    name(key);
    append_json_number(out, value);
  }
  void json(std::string_view key, dom::element value) {
    name(key);
    append_json(out, value);
  }
  void json(std::string_view key, std::string_view value) {
    name(key);
    out.append(value);
  }
  void changed(std::string_view key, const dom::object& object, std::initializer_list<Change> changes) {
    name(key);
    append_changed(out, object, changes);
  }

  std::string out;

 private:
  void name(std::string_view key) { out.append(",\"").append(key).append("\":"); }
  std::int64_t number_ = 0;
};

/// The events of one item. `index`: its place in the output.
class ItemWriter {
 public:
  ItemWriter(EventWriter& events, const dom::object& item, std::int64_t index)
      : events_(events), item_(item), index_(index), id_(string_of(item, "id")) {}

  void write() {
    const std::string_view type = string_of(item_, "type");
    if (type == "message") {
      added({{"status", kInProgress}, {"content", "[]"}});
      write_content();
    } else if (type == "function_call") {
      added({{"status", kInProgress}, {"arguments", "\"\""}});
      write_call("arguments", "response.function_call_arguments.delta", "response.function_call_arguments.done");
    } else if (type == "custom_tool_call") {
      added({{"status", kInProgress}, {"input", "\"\""}});
      write_call("input", "response.custom_tool_call_input.delta", "response.custom_tool_call_input.done");
    } else if (type == "reasoning") {
      added({{"status", kInProgress}, {"summary", "[]"}, {"content", "[]"}});
      write_summary();
      write_content();
    } else {
      added({});  // A tool that the upstream ran: how it went on is not kept.
    }
    events_.begin("response.output_item.done");
    events_.number("output_index", index_);
    events_.changed("item", item_, {});
    events_.end();
  }

 private:
  static constexpr std::string_view kInProgress = "\"in_progress\"";

  void added(std::initializer_list<Change> changes) {
    events_.begin("response.output_item.added");
    events_.number("output_index", index_);
    events_.changed("item", item_, changes);
    events_.end();
  }

  void begin(std::string_view type) {
    events_.begin(type);
    events_.text("item_id", id_);
    events_.number("output_index", index_);
  }
  void begin(std::string_view type, std::string_view index_name, std::int64_t index) {
    begin(type);
    events_.number(index_name, index);
  }

  void write_call(std::string_view key, std::string_view delta, std::string_view done) {
    const std::string_view text = string_of(item_, key);
    for (const std::string_view piece : cut_at_words(text)) {
      begin(delta);
      events_.text("delta", piece);
      events_.end();
    }
    begin(done);
    if (key == "arguments") events_.text("name", string_of(item_, "name"));  // Older SDKs want it here.
    events_.text(key, text);
    events_.end();
  }

  void write_summary() {
    std::int64_t position = 0;
    for (const dom::element each : elements_of(item_, "summary")) {
      dom::object part;
      const std::int64_t index = position++;
      if (each.get_object().get(part) != simdjson::SUCCESS) continue;
      begin("response.reasoning_summary_part.added", "summary_index", index);
      events_.changed("part", part, {{"text", "\"\""}});
      events_.end();
      write_text("response.reasoning_summary_text.", "summary_index", index, string_of(part, "text"), "text", {});
      begin("response.reasoning_summary_part.done", "summary_index", index);
      events_.changed("part", part, {});
      events_.end();
    }
  }

  void write_content() {
    std::int64_t position = 0;
    for (const dom::element each : elements_of(item_, "content")) {
      dom::object part;
      const std::int64_t index = position++;
      if (each.get_object().get(part) != simdjson::SUCCESS) continue;
      const std::string_view type = string_of(part, "type");
      const std::string_view member = type == "refusal" ? "refusal" : "text";
      begin("response.content_part.added", "content_index", index);
      events_.changed("part", part, {{member, "\"\""}, {"annotations", "[]"}, {"logprobs", "[]"}});
      events_.end();
      const std::string_view text = string_of(part, member);
      if (type == "output_text") {
        std::string logprobs = "[";
        for (const dom::element token : elements_of(part, "logprobs")) {
          if (logprobs.size() > 1) logprobs.push_back(',');
          append_json(logprobs, token);
        }
        write_text("response.output_text.", "content_index", index, text, member, logprobs + "]", part);
      } else if (type == "refusal" || type == "reasoning_text") {
        write_text(type == "refusal" ? "response.refusal." : "response.reasoning_text.", "content_index", index, text,
                   member, {});
      }
      begin("response.content_part.done", "content_index", index);
      events_.changed("part", part, {});
      events_.end();
    }
  }

  /// `logprobs`: a JSON array, or empty where the events have none. `part`: of a text, for its annotations.
  void write_text(std::string_view type, std::string_view index_name, std::int64_t index, std::string_view text,
                  std::string_view member, std::string_view logprobs, std::optional<dom::object> part = std::nullopt) {
    const std::string delta = std::string(type) + "delta";
    // Log-probabilities belong to tokens: the whole text goes with them.
    const bool at_once = logprobs.size() > 2;
    for (const std::string_view piece : at_once ? std::vector<std::string_view>{text} : cut_at_words(text)) {
      begin(delta, index_name, index);
      events_.text("delta", piece);
      if (!logprobs.empty()) events_.json("logprobs", logprobs);
      events_.end();
    }
    if (part) write_annotations(index, *part);
    begin(std::string(type) + "done", index_name, index);
    events_.text(member, text);
    if (!logprobs.empty()) events_.json("logprobs", logprobs);
    events_.end();
  }

  void write_annotations(std::int64_t content_index, const dom::object& part) {
    std::int64_t position = 0;
    for (const dom::element annotation : elements_of(part, "annotations")) {
      begin("response.output_text.annotation.added", "content_index", content_index);
      events_.number("annotation_index", position++);
      events_.json("annotation", annotation);
      events_.end();
    }
  }

  EventWriter& events_;
  const dom::object& item_;
  const std::int64_t index_;
  const std::string_view id_;
};

}  // namespace

std::string stream_of_response(dom::object response, std::string_view created) {
  EventWriter events;
  for (const std::string_view type : {"response.created", "response.in_progress"}) {
    events.begin(type);
    events.changed("response", response,
                   {{"created_at", created},
                    {"status", "\"in_progress\""},
                    {"completed_at", "null"},
                    {"output", "[]"},
                    {"usage", "null"}});
    events.end();
  }
  std::int64_t index = 0;
  for (const dom::element each : elements_of(response, "output")) {
    dom::object item;
    if (each.get_object().get(item) == simdjson::SUCCESS) ItemWriter(events, item, index).write();
    ++index;
  }
  events.begin("response.completed");
  events.changed("response", response, {{"created_at", created}});
  events.end();
  return std::move(events.out);
}

}  // namespace sosie::protocol
