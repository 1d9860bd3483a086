#include "gateway/chat_answer.h"

#include <algorithm>
#include <atomic>
#include <random>

namespace sosie::gateway {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kIdMember = R"({"id":")";
constexpr std::string_view kObjectMember = R"(","object":"chat.completion","created":)";

bool says_something(const dom::object& message) {
  for (const auto& [key, value] : message) {
    std::string_view text;
    dom::array items;
    if (key == "role") continue;
    if (value.get_string().get(text) == simdjson::SUCCESS && !text.empty()) return true;
    if (value.get_array().get(items) == simdjson::SUCCESS && items.size() != 0) return true;
    if (value.is_object()) return true;
  }
  return false;
}

/// `count`: how many there must be, numbered from 0, in any order; without numbers they count in theirs.
NotKept fault_of_choices(const dom::array& choices, std::int64_t count) {
  if (choices.size() == 0) return "no_choices";
  if (count < 0 || choices.size() != static_cast<std::size_t>(count)) return "choice_count";
  std::vector<bool> seen(choices.size());
  std::size_t position = 0;
  for (const dom::element choice : choices) {
    dom::object message;
    dom::element number;
    std::string_view finish;
    if (!choice.is_object()) return "no_message";
    std::uint64_t index = position++;
    if (choice["index"].get(number) == simdjson::SUCCESS && number.get_uint64().get(index) != simdjson::SUCCESS)
      return "choice_count";
    if (index >= seen.size() || seen[index]) return "choice_count";
    seen[index] = true;
    if (choice["message"].get_object().get(message) != simdjson::SUCCESS) return "no_message";
    if (choice["finish_reason"].get_string().get(finish) != simdjson::SUCCESS || !is_complete_finish(finish))
      return "finish_reason";
    if (!says_something(message)) return "empty_answer";
  }
  return {};
}

/// Pieces of about an eighth, cut behind spaces; never inside a character.
std::vector<std::string_view> cut_at_words(std::string_view text) {
  std::vector<std::string_view> pieces;
  const std::size_t wanted = std::max<std::size_t>(24, text.size() / 8);
  while (text.size() > wanted) {
    std::size_t end = text.find(' ', wanted);
    if (end == std::string_view::npos || end + 1 == text.size()) break;
    pieces.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) pieces.push_back(text);
  return pieces;
}

/// Writes the chunks of one stream.
class ChunkWriter {
 public:
  ChunkWriter(const dom::object& completion, std::int64_t created, bool include_usage) : include_usage_(include_usage) {
    head_ = R"(data: {"id":")" + new_completion_id() + R"(","object":"chat.completion.chunk","created":)";
    append_json_number(head_, created);
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
    out.append(head_).append(R"({"index":)");
    append_json_number(out, index);
    out.append(R"(,"delta":{)").append(delta).push_back('}');
    if (!logprobs.empty()) out.append(R"(,"logprobs":)").append(logprobs);
    out.append(R"(,"finish_reason":)").append(finish.empty() ? "null" : finish).append(others);
    out.append(include_usage_ ? R"(}],"usage":null})" : "}]}").append("\n\n");
  }

  void usage(dom::element value) {
    out.append(head_).append(R"(],"usage":)");
    append_json(out, value);
    out.append("}\n\n");
  }

  std::string out;

 private:
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

void write_choice(ChunkWriter& writer, const dom::element& choice, std::int64_t index, const dom::object& message) {
  std::string logprobs, finish;
  dom::element value;
  if (choice["logprobs"].get(value) == simdjson::SUCCESS && !value.is_null()) append_json(logprobs, value);
  if (choice["finish_reason"].get(value) == simdjson::SUCCESS) append_json(finish, value);

  std::string first = R"("role":"assistant","content":)";
  const bool has_content = message["content"].is_string();
  first.append(has_content ? "\"\"" : "null");
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
  std::string others;
  for (const dom::object members = choice.get_object().value_unsafe(); const auto& [key, inner] : members) {
    if (key == "index" || key == "message" || key == "logprobs" || key == "finish_reason") continue;
    others.push_back(',');
    append_json_string(others, key);
    others.push_back(':');
    append_json(others, inner);
  }
  writer.chunk(index, "", finish, logprobs, others);
}

}  // namespace

bool is_complete_finish(std::string_view finish_reason) noexcept {
  return finish_reason == "stop" || finish_reason == "tool_calls" || finish_reason == "function_call";
}

bool is_joined_text(std::string_view name) noexcept {
  return name == "content" || name == "refusal" || name == "reasoning_content" || name == "reasoning";
}

std::variant<std::string, NotKept> keep_completion(JsonReader& reader, std::string_view completion,
                                                   std::int64_t choice_count) {
  const auto root = reader.read_copy(completion);
  dom::object object;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) return NotKept("not_json");
  if (has_duplicate_keys(object)) return NotKept("not_json");
  std::string_view kind, id;
  dom::array choices;
  if (object["object"].get_string().get(kind) != simdjson::SUCCESS || kind != "chat.completion")
    return NotKept("not_a_completion");
  if (object["choices"].get_array().get(choices) != simdjson::SUCCESS) return NotKept("no_choices");
  dom::element error;
  if (object["error"].get(error) == simdjson::SUCCESS && !error.is_null()) return NotKept("error_inside");
  if (const NotKept fault = fault_of_choices(choices, choice_count); !fault.empty()) return fault;

  std::int64_t created = 0;
  static_cast<void>(object["created"].get_int64().get(created));
  static_cast<void>(object["id"].get_string().get(id));
  std::string kept(kIdMember);
  // An id that needs escapes would hide where it ends.
  const bool plain = std::all_of(id.begin(), id.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
  });
  if (plain) kept.append(id);
  kept.append(kObjectMember);
  append_json_number(kept, created);
  for (const auto& [key, value] : object) {
    if (key == "id" || key == "object" || key == "created") continue;
    kept.push_back(',');
    append_json_string(kept, key);
    kept.push_back(':');
    append_json(kept, value);
  }
  kept.push_back('}');
  return kept;
}

std::string new_completion_id() {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  static std::atomic<std::uint64_t> counter{0};
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string id = "chatcmpl-";
  std::uint64_t state = seed + counter.fetch_add(1, std::memory_order_relaxed) * 2;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t mixed = ++state * 0x9E3779B97F4A7C15;  // splitmix64: a bijection, so no two are equal
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    mixed ^= mixed >> 31;
    for (int shift = 60; shift >= 0; shift -= 4) id.push_back(kHex[(mixed >> shift) & 15]);
  }
  return id;
}

std::optional<PlainReplay> replay_plain(std::string_view kept, std::int64_t created) {
  if (!kept.starts_with(kIdMember)) return std::nullopt;
  std::string_view rest = kept.substr(kIdMember.size());
  rest.remove_prefix(std::min(rest.find('"'), rest.size()));
  if (!rest.starts_with(kObjectMember)) return std::nullopt;
  rest.remove_prefix(kObjectMember.size());
  const std::size_t comma = rest.find(',');
  if (comma == std::string_view::npos) return std::nullopt;
  PlainReplay replay;
  replay.head.reserve(160);
  replay.head.append(kIdMember).append(new_completion_id()).append(kObjectMember);
  append_json_number(replay.head, created);
  replay.tail = rest.substr(comma);
  return replay;
}

std::optional<std::string> replay_stream(JsonReader& reader, std::string_view kept, std::int64_t created,
                                         bool include_usage) {
  const auto root = reader.read_copy(kept);
  dom::object object;
  dom::array choices;
  if (!root || root->get_object().get(object) != simdjson::SUCCESS) return std::nullopt;
  if (object["choices"].get_array().get(choices) != simdjson::SUCCESS) return std::nullopt;
  if (!fault_of_choices(choices, static_cast<std::int64_t>(choices.size())).empty()) return std::nullopt;

  ChunkWriter writer(object, created, include_usage);
  std::int64_t position = 0;
  for (const dom::element choice : choices) {
    std::int64_t index = position++;
    static_cast<void>(choice["index"].get_int64().get(index));
    write_choice(writer, choice, index, choice["message"].get_object().value_unsafe());
  }
  dom::element usage;
  if (include_usage && object["usage"].get(usage) == simdjson::SUCCESS && usage.is_object()) writer.usage(usage);
  writer.out.append("data: [DONE]\n\n");
  return std::move(writer.out);
}

}  // namespace sosie::gateway
