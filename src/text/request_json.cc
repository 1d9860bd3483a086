#include "text/request_json.h"

#include <simdjson.h>

#include "text/python_json.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

Error invalid(const char* what) { return {ErrorCode::invalid_argument, what}; }

// Python's bool(value).
bool is_true(const PythonValue& value) noexcept {
  switch (value.kind) {
    case Kind::none: return false;
    case Kind::boolean: return value.boolean;
    case Kind::integer: return value.text != "0";
    case Kind::floating: return value.number != 0;
    case Kind::string: return !value.text.empty();
    default: return !value.items.empty();
  }
}

}  // namespace

const PythonValue* member(const PythonValue& object, std::string_view key) noexcept {
  if (object.kind != Kind::dict) return nullptr;
  for (std::size_t i = 0; i < object.items.size(); i += 2) {
    if (object.items[i].text == key) return &object.items[i + 1];
  }
  return nullptr;
}

bool is_kind(const PythonValue* value, Kind kind) noexcept { return value != nullptr && value->kind == kind; }

bool is_string(const PythonValue* value, std::string_view text) noexcept {
  return is_kind(value, Kind::string) && value->text == text;
}

Result<RequestJson> read_request_json(std::string_view kwargs) {
  if (!simdjson::validate_utf8(kwargs.data(), kwargs.size())) return invalid("the request is not UTF-8");
  auto read = read_python_json(kwargs);
  if (!read) return invalid("the request is nested too deeply, or an integer in it has more than 4300 digits");
  if (!*read || (*read)->kind != Kind::dict) return invalid("the request is not a JSON object");
  RequestJson request{.kwargs = std::make_unique<const PythonValue>(std::move(**read))};
  const PythonValue* messages = member(*request.kwargs, "messages");
  if (messages == nullptr || !is_true(*messages)) {
    request.input = member(*request.kwargs, "input");
    return request;
  }
  if (messages->kind != Kind::list) return invalid("messages is not a list");
  for (const PythonValue& message : messages->items) {
    if (message.kind != Kind::dict) return invalid("messages holds something that is not an object");
  }
  request.messages = messages;
  return request;
}

InputText input_text(const PythonValue& object) noexcept {
  const PythonValue* content = member(object, "content");
  if (content != nullptr && content->kind != Kind::none) return {.nested = content, .key = "content"};
  const PythonValue* output = member(object, "output");
  if (is_kind(output, Kind::list)) return {.nested = output, .key = "output"};
  for (const char* key : {"text", "output", "input_text", "output_text"}) {
    const PythonValue* value = member(object, key);
    if (!is_kind(value, Kind::string)) continue;
    if (const auto text = strip_python(value->text); !text.empty()) return {.text = text, .key = key};
  }
  return {};
}

}  // namespace sosie::text
