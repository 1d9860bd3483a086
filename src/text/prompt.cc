#include "text/prompt.h"

#include <vector>

#include "text/json_text.h"
#include "text/python_text.h"
#include "text/request_json.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

void append_content(const PythonValue* content, std::string& prompt);

void append_block(const PythonValue& block, std::string& prompt) {
  if (is_string(member(block, "type"), "tool_result")) {
    append_content(member(block, "content"), prompt);
  } else if (const PythonValue* text = member(block, "text"); is_kind(text, Kind::string)) {
    prompt.append(text->text);
  }
}

void append_content(const PythonValue* content, std::string& prompt) {
  if (is_kind(content, Kind::string)) prompt.append(content->text);
  if (!is_kind(content, Kind::list)) return;
  for (const PythonValue& block : content->items) {
    if (block.kind == Kind::dict) append_block(block, prompt);
  }
}

void append_search_result(const PythonValue& result, std::string& prompt) {
  for (const char* name : {"source", "title"}) {
    if (const PythonValue* text = member(result, name); is_kind(text, Kind::string)) prompt.append(text->text);
  }
  if (const PythonValue* content = member(result, "content"); is_kind(content, Kind::list)) {
    for (const PythonValue& block : content->items) {
      if (const PythonValue* text = member(block, "text"); is_kind(text, Kind::string)) prompt.append(text->text);
    }
  }
  const PythonValue* citations = member(result, "citations");
  // Read from JSON, so it can be written as JSON.
  if (citations != nullptr && citations->kind != Kind::none)
    (void)append_json(*citations, {.ascii = true, .non_finite = true}, prompt);
}

std::string prompt_of_messages(const PythonValue& messages) {
  std::string prompt;
  for (const PythonValue& message : messages.items) {
    append_content(member(message, "content"), prompt);
    const PythonValue* results = member(message, "search_results");
    if (!is_kind(results, Kind::list)) continue;
    for (const PythonValue& result : results->items) {
      if (result.kind == Kind::dict) append_search_result(result, prompt);
    }
  }
  return prompt;
}

void collect(const PythonValue& value, std::vector<std::string_view>& parts) {
  switch (value.kind) {
    case Kind::string:
      if (const auto text = strip_python(value.text); !text.empty()) parts.push_back(text);
      return;
    case Kind::list:
      for (const PythonValue& item : value.items) collect(item, parts);
      return;
    case Kind::dict: {
      const InputText found = input_text(value);
      if (found.nested != nullptr) return collect(*found.nested, parts);
      if (!found.text.empty()) parts.push_back(found.text);
      return;
    }
    default: return;
  }
}

}  // namespace

Result<std::optional<std::string>> prompt_from_kwargs(std::string_view kwargs) {
  const auto request = read_request_json(kwargs);
  if (!request) return request.error();
  if (request->messages != nullptr) return std::optional<std::string>(prompt_of_messages(*request->messages));
  if (request->input == nullptr) return std::optional<std::string>();
  std::vector<std::string_view> parts;
  collect(*request->input, parts);
  std::string prompt;
  for (const std::string_view part : parts) {
    if (!prompt.empty()) prompt.push_back('\n');
    prompt.append(part);
  }
  // Parts come stripped and are not blank: so is the whole.
  if (prompt.empty()) return std::optional<std::string>();
  return std::optional<std::string>(std::move(prompt));
}

}  // namespace sosie::text
