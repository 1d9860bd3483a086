#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "text/json_text.h"
#include "text/prompt.h"
#include "text/python_text.h"
#include "text/request_json.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;
using Keys = std::vector<std::string_view>;

template <class Texts>
bool is_one_of(std::string_view text, const Texts& texts) noexcept {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// Blocks and items that are a text or the frame of one. Of all others, known or not, the type itself counts as well.
constexpr std::array<std::string_view, 10> kTextTypes = {
    "text",        "input_text",    "output_text",          "reasoning_text",          "message",
    "tool_result", "search_result", "function_call_output", "custom_tool_call_output", "local_shell_call_output"};

// Calls of the Responses API: what answers them names their "call_id"; their "id" is made up for each answer.
constexpr std::array<std::string_view, 4> kCallTypes = {"function_call", "custom_tool_call", "local_shell_call",
                                                        "shell_call"};

// Calls of the Messages API: what answers them names their "id".
constexpr std::array<std::string_view, 3> kToolUseTypes = {"tool_use", "server_tool_use", "mcp_tool_use"};

constexpr std::array<std::string_view, 3> kCallIdKeys = {"call_id", "tool_call_id", "tool_use_id"};

// What a server says about a text or a call of its own, and no model reads.
constexpr std::array<std::string_view, 4> kAccountKeys = {"id", "status", "annotations", "logprobs"};

// Nothing that a model could see: null, false, blank text, containers of nothing but such.
bool is_nothing(const PythonValue& value) noexcept {
  switch (value.kind) {
    case Kind::none: return true;
    case Kind::boolean: return !value.boolean;
    case Kind::string: return strip_python(value.text).empty();
    case Kind::list: return std::all_of(value.items.begin(), value.items.end(), is_nothing);
    case Kind::dict:
      for (std::size_t i = 1; i < value.items.size(); i += 2) {
        if (!is_nothing(value.items[i])) return false;
      }
      return true;
    default: return false;
  }
}

std::string_view type_of(const PythonValue& object) noexcept {
  const PythonValue* type = member(object, "type");
  return is_kind(type, Kind::string) ? std::string_view(type->text) : std::string_view();
}

// The parts, a line each: a mark of where it was found, and JSON. A line "~" stands for any text between parts, so that
// the same parts around it differ from the same parts before it.
class NonText {
 public:
  std::string text() && { return any_ ? std::move(out_) : std::string(); }

  void add_message(const PythonValue& message) {
    Keys read = {"role"};
    const PythonValue* content = member(message, "content");
    if (is_kind(content, Kind::string) || is_kind(content, Kind::list)) {
      add_content(*content);
      read.push_back("content");
    }
    if (const PythonValue* results = member(message, "search_results"); is_kind(results, Kind::list)) {
      for (const PythonValue& result : results->items) add_search_result(result);
      read.push_back("search_results");
    }
    if (const PythonValue* calls = member(message, "tool_calls"); is_kind(calls, Kind::list)) {
      for (const PythonValue& call : calls->items) add_tool_call(call);
      read.push_back("tool_calls");
    }
    add_rest('m', message, read, /*is_frame=*/true);
  }

  // A value of a Responses input.
  void add_input(const PythonValue& value) {
    switch (value.kind) {
      case Kind::none: return;
      case Kind::string: return mark_text(value);
      case Kind::list:
        for (const PythonValue& item : value.items) add_input(item);
        return;
      case Kind::dict: {
        const InputText found = input_text(value);
        if (found.nested != nullptr) add_input(*found.nested);
        if (!found.text.empty()) mark_text();
        Keys read = {"role"};
        if (!found.key.empty()) read.push_back(found.key);
        // Without a type and a text it is a reference to an item, by its id.
        return add_rest('i', value, read, /*is_frame=*/!found.key.empty());
      }
      default: return add_value(value);
    }
  }

 private:
  struct Member {
    std::string_view key;
    const PythonValue* value;
    std::size_t call = 0;  // Not 0: written instead of the value.
  };

  void mark_text() {
    if (!out_.ends_with("~\n")) out_.append("~\n");
  }
  void mark_text(const PythonValue& text) {
    if (!strip_python(text.text).empty()) mark_text();
  }

  // Content of a message or of a tool's result, as the prompt takes it.
  void add_content(const PythonValue& content) {
    if (content.kind == Kind::string) return mark_text(content);
    for (const PythonValue& block : content.items) {
      if (type_of(block) == "tool_result") {
        add_result(block);
      } else {
        add_block(block);
      }
    }
  }

  void add_result(const PythonValue& block) {
    const PythonValue* content = member(block, "content");
    const bool is_read = is_kind(content, Kind::string) || is_kind(content, Kind::list);
    if (is_read) add_content(*content);
    add_rest('b', block, is_read ? Keys{"content"} : Keys{}, is_read);
  }

  void add_block(const PythonValue& block) {
    if (block.kind != Kind::dict) return add_value(block);
    const PythonValue* text = member(block, "text");
    const bool is_read = is_kind(text, Kind::string);
    if (is_read) mark_text(*text);
    add_rest('b', block, is_read ? Keys{"text"} : Keys{}, is_read);
  }

  void add_search_result(const PythonValue& result) {
    if (result.kind != Kind::dict) return add_value(result);
    Keys read = {"citations"};
    for (const char* key : {"source", "title"}) {
      if (const PythonValue* text = member(result, key); is_kind(text, Kind::string)) {
        mark_text(*text);
        read.push_back(key);
      }
    }
    if (const PythonValue* content = member(result, "content"); is_kind(content, Kind::list)) {
      for (const PythonValue& block : content->items) add_block(block);
      read.push_back("content");
    }
    add_rest('s', result, read, /*is_frame=*/true);
  }

  void add_tool_call(const PythonValue& call) {
    if (call.kind != Kind::dict) return add_value(call);
    std::vector<Member> members;
    for (std::size_t i = 0; i < call.items.size(); i += 2) {
      const std::string_view key = call.items[i].text;
      const PythonValue& value = call.items[i + 1];
      if (!is_nothing(value)) members.push_back({key, &value, key == "id" ? number_of_call(value) : 0});
    }
    write('c', std::move(members));
  }

  // The members of an object that `read` does not name and that say something. `is_frame`: of an object without a type,
  // that it is there for its text.
  void add_rest(char mark, const PythonValue& object, const Keys& read, bool is_frame) {
    const std::string_view type = type_of(object);
    const bool is_text = has_type(object) ? is_one_of(type, kTextTypes) : is_frame;
    const bool is_call = is_one_of(type, kCallTypes);
    std::vector<Member> members;
    for (std::size_t i = 0; i < object.items.size(); i += 2) {
      const std::string_view key = object.items[i].text;
      const PythonValue& value = object.items[i + 1];
      if (is_one_of(key, read) || key == "cache_control" || is_nothing(value)) continue;  // What is read is not searched again at each depth.
      if (is_text && key == "type") continue;
      if ((is_text || is_call) && is_one_of(key, kAccountKeys)) continue;
      Member rest{key, &value};
      if (is_one_of(key, kCallIdKeys) || (key == "id" && is_one_of(type, kToolUseTypes))) {
        // An answer alone, to a call that is not there, is a text like others.
        if (is_text && !is_known_call(value)) continue;
        rest.call = number_of_call(value);
      }
      members.push_back(rest);
    }
    if (!members.empty()) write(mark, std::move(members));
  }

  static bool has_type(const PythonValue& object) noexcept {
    const PythonValue* type = member(object, "type");
    return type != nullptr && type->kind != Kind::none;
  }

  // Calls are numbered in order of appearance: who answers whom counts, the names made up for it do not.
  static std::string id_text(const PythonValue& id) {
    std::string text;
    (void)append_json(id, {.sorted = true, .non_finite = true}, text);
    return text;
  }
  bool is_known_call(const PythonValue& id) const { return calls_.contains(id_text(id)); }
  std::size_t number_of_call(const PythonValue& id) {
    return calls_.try_emplace(id_text(id), calls_.size() + 1).first->second;
  }

  void add_value(const PythonValue& value) {
    if (is_nothing(value)) return;
    any_ = true;
    out_.push_back('v');
    write(value);
    out_.push_back('\n');
  }

  void write(char mark, std::vector<Member> members) {
    any_ = true;
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) { return a.key < b.key; });
    out_.push_back(mark);
    char separator = '{';
    for (const Member& each : members) {
      out_.push_back(std::exchange(separator, ','));
      append_json_string(each.key, /*ascii=*/false, out_);
      out_.push_back(':');
      if (each.call != 0) {
        out_.append("#").append(std::to_string(each.call));
      } else {
        write(*each.value);
      }
    }
    out_.append("}\n");
  }

  // Read from JSON, so it can be written as JSON.
  void write(const PythonValue& value) { (void)append_json(value, {.sorted = true, .non_finite = true}, out_); }

  std::string out_;
  bool any_ = false;
  std::map<std::string, std::size_t> calls_;
};

}  // namespace

Result<std::string> non_text_parts(std::string_view kwargs) {
  const auto request = read_request_json(kwargs);
  if (!request) return request.error();
  NonText parts;
  if (request->messages != nullptr) {
    for (const PythonValue& message : request->messages->items) parts.add_message(message);
  } else if (request->input != nullptr) {
    parts.add_input(*request->input);
  }
  return std::move(parts).text();
}

}  // namespace sosie::text
