// request_json.h: the parts of an LLM request that its prompt and its other content are taken from.
#pragma once

#include <memory>
#include <string_view>

#include "sosie/result.h"
#include "text/python_value.h"

namespace sosie::text {

/// A request's JSON, read. `messages`: a list of objects, not empty; else null. `input`: read only where there are no
/// messages; null where the request has none.
struct RequestJson {
  std::unique_ptr<const PythonValue> kwargs;
  const PythonValue* messages = nullptr;
  const PythonValue* input = nullptr;
};

/// Errors: invalid_argument (not a JSON object; messages that are no list of objects).
Result<RequestJson> read_request_json(std::string_view kwargs);

/// The value of a dict's key; null where there is none or `object` is not a dict.
const PythonValue* member(const PythonValue& object, std::string_view key) noexcept;

bool is_kind(const PythonValue* value, PythonValue::Kind kind) noexcept;
bool is_string(const PythonValue* value, std::string_view text) noexcept;

/// Where an object of a Responses input has its text: in another value, or in one of its own members, stripped.
struct InputText {
  const PythonValue* nested = nullptr;
  std::string_view text;
  std::string_view key;  ///< The member that was read; empty: none.
};
InputText input_text(const PythonValue& object) noexcept;

}  // namespace sosie::text
