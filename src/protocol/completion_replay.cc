#include <string>
#include <utility>

#include "protocol/completion_answer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

/// Writes the chunks of one stream.
class ChunkWriter {
 public:
  ChunkWriter(const CompletionForm& form, const dom::object& completion, const ReplayOptions& options)
      : include_usage_(options.include_usage) {
    head_.append(R"(data: {"id":")").append(new_id(form.id_prefix)).append(R"(","object":")").append(form.chunk_object);
    append_json_number(head_.append(R"(","created":)"), options.created);
    for (const auto& [key, value] : completion) {
      if (key == "id" || key == "object" || key == "created" || key == "choices" || key == "usage") continue;
      head_.push_back(',');
      append_json_string(head_, key);
      head_.push_back(':');
      append_json(head_, value);
    }
    head_.append(R"(,"choices":[)");
  }

  /// `delta` is the inside of an object. `finish` and `logprobs` are JSON; empty: null, left out.
  /// `others`: further members of the choice, each behind a comma.
  void chunk(std::int64_t index, std::string_view delta, std::string_view finish = {}, std::string_view logprobs = {},
             std::string_view others = {}) {
    begin_choice(index);
    out.append(R"(,"delta":{)").append(delta).push_back('}');
    end_choice(finish, logprobs, others);
  }

  /// Of the older form.
  void text_chunk(std::int64_t index, std::string_view text, std::string_view finish = {},
                  std::string_view logprobs = {}, std::string_view others = {}) {
    begin_choice(index);
    append_json_string(out.append(R"(,"text":)"), text);
    end_choice(finish, logprobs, others);
  }

  void usage(dom::element value) {
    out.append(head_).append(R"(],"usage":)");
    append_json(out, value);
    out.append("}\n\n");
  }

  std::string out;

 private:
  void begin_choice(std::int64_t index) {
    out.append(head_).append(R"({"index":)");
    append_json_number(out, index);
  }
  void end_choice(std::string_view finish, std::string_view logprobs, std::string_view others) {
    if (!logprobs.empty()) out.append(R"(,"logprobs":)").append(logprobs);
    out.append(R"(,"finish_reason":)").append(finish.empty() ? "null" : finish).append(others);
    out.append(include_usage_ ? R"(}],"usage":null})" : "}]}").append("\n\n");
  }

  std::string head_;
  const bool include_usage_;
};

std::string member(std::string_view key, std::string_view text) {
  std::string json;
  append_json_string(json, key);
  json.push_back(':');
  append_json_string(json, text);
  return json;
}

void write_tool_calls(ChunkWriter& writer, std::int64_t index, const dom::array& calls) {
  std::int64_t position = 0;
  for (const dom::element call : calls) {
    std::string begin = R"("tool_calls":[{"index":)";
    append_json_number(begin, position);
    std::string_view arguments;
    const bool has_arguments = call["function"]["arguments"].get_string().get(arguments) == simdjson::SUCCESS;
    dom::object members;
    if (call.get_object().get(members) != simdjson::SUCCESS) continue;
    for (const auto& [key, value] : members) {
      if (key == "index") continue;
      begin.push_back(',');
      append_json_string(begin, key);
      begin.push_back(':');
      if (key != "function" || !has_arguments) {
        append_json(begin, value);
        continue;
      }
      begin.push_back('{');
      for (const dom::object inside = value.get_object().value_unsafe(); const auto& [name, inner] : inside) {
        if (begin.back() != '{') begin.push_back(',');
        append_json_string(begin, name);
        begin.push_back(':');
        name == "arguments" ? static_cast<void>(begin.append("\"\"")) : append_json(begin, inner);
      }
      begin.push_back('}');
    }
    writer.chunk(index, begin + "}]");
    if (has_arguments && !arguments.empty()) {
      std::string more = R"("tool_calls":[{"index":)";
      append_json_number(more, position);
      writer.chunk(index, more + R"(,"function":{)" + member("arguments", arguments) + "}}]");
    }
    ++position;
  }
}

/// What else a choice says, each behind a comma. A chunk says in "delta" what the message says, so that it has no room for another one.
std::string further_members(const dom::element& choice) {
  std::string others;
  for (const dom::object members = choice.get_object().value_unsafe(); const auto& [key, inner] : members) {
    if (key == "index" || key == "message" || key == "delta" || key == "text" || key == "logprobs" || key == "finish_reason") continue;
    others.push_back(',');
    append_json_string(others, key);
    others.push_back(':');
    append_json(others, inner);
  }
  return others;
}

void write_choice(ChunkWriter& writer, const dom::element& choice, std::int64_t index, const dom::object& message) {
  std::string logprobs, finish;
  dom::element value;
  if (choice["logprobs"].get(value) == simdjson::SUCCESS && !value.is_null()) append_json(logprobs, value);
  if (choice["finish_reason"].get(value) == simdjson::SUCCESS) append_json(finish, value);

  std::string first = R"("role":"assistant")";
  const bool has_content = message["content"].is_string();
  const bool has_list = message["content"].is_array();
  if (!has_list) first.append(has_content ? R"(,"content":"")" : R"(,"content":null)");
  for (const auto& [key, inner] : message) {
    if (key == "role" || key == "tool_calls" || inner.is_string() || inner.is_null()) continue;
    first.push_back(',');
    append_json_string(first, key);
    first.push_back(':');
    append_json(first, inner);
  }
  writer.chunk(index, first);

  for (const auto& [key, inner] : message) {
    std::string_view text;
    if (key == "role" || inner.get_string().get(text) != simdjson::SUCCESS) continue;
    // Log probabilities belong to tokens whose borders are not kept: the whole text goes with them.
    if (key == "content" && !logprobs.empty()) {
      writer.chunk(index, member(key, text), {}, std::exchange(logprobs, std::string()));
      continue;
    }
    if (!is_joined_text(key)) {
      writer.chunk(index, member(key, text));
      continue;
    }
    for (const std::string_view piece : cut_at_words(text)) writer.chunk(index, member(key, piece));
  }
  dom::array calls;
  if (message["tool_calls"].get_array().get(calls) == simdjson::SUCCESS) write_tool_calls(writer, index, calls);
  writer.chunk(index, "", finish, logprobs, further_members(choice));
}

void write_text_choice(ChunkWriter& writer, const dom::element& choice, std::int64_t index) {
  std::string logprobs, finish;
  std::string_view text;
  dom::element value;
  if (choice["logprobs"].get(value) == simdjson::SUCCESS && !value.is_null()) append_json(logprobs, value);
  if (choice["finish_reason"].get(value) == simdjson::SUCCESS) append_json(finish, value);
  static_cast<void>(choice["text"].get_string().get(text));
  if (!logprobs.empty()) {
    writer.text_chunk(index, text, {}, logprobs);
  } else {
    for (const std::string_view piece : cut_at_words(text)) writer.text_chunk(index, piece);
  }
  writer.text_chunk(index, "", finish, {}, further_members(choice));
}

}  // namespace

std::optional<std::string> replay_completion_stream(const CompletionForm& form, JsonReader& reader,
                                                    std::string_view kept, const ReplayOptions& options) {
  if (!owns_completion(form, kept)) return std::nullopt;
  const auto root = reader.read_copy(kept);
  dom::object object;
  dom::array choices;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  if (object["choices"].get_array().get(choices) != simdjson::SUCCESS) return std::nullopt;
  if (!fault_of_choices(form, choices, static_cast<std::int64_t>(choices.size())).empty()) return std::nullopt;

  ChunkWriter writer(form, object, options);
  std::int64_t position = 0;
  for (const dom::element choice : choices) {
    std::int64_t index = position++;
    static_cast<void>(choice["index"].get_int64().get(index));
    form.has_messages ? write_choice(writer, choice, index, choice["message"].get_object().value_unsafe())
                      : write_text_choice(writer, choice, index);
  }
  dom::element usage;
  if (options.include_usage && object["usage"].get(usage) == simdjson::SUCCESS && usage.is_object())
    writer.usage(usage);
  writer.out.append("data: [DONE]\n\n");
  return std::move(writer.out);
}

}  // namespace sosie::protocol
