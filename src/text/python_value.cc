#include "text/python_value.h"

#include <cmath>
#include <simdjson.h>

#include "text/json_text.h"
#include "text/python_json.h"
#include "text/python_literal.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

using Kind = PythonValue::Kind;

Error corrupt_value(const char* what) { return {ErrorCode::data_corruption, what}; }

PythonValue* find_member(PythonValue& dict, std::string_view key) {
  for (std::size_t i = 0; i < dict.items.size(); i += 2) {
    if (dict.items[i].kind == Kind::string && dict.items[i].text == key) return &dict.items[i + 1];
  }
  return nullptr;
}

// Seconds, of any number that Python can subtract from a time.
std::optional<double> seconds(const PythonValue& value) {
  double number = 0;
  switch (value.kind) {
    case Kind::boolean: return value.boolean ? 1.0 : 0.0;
    case Kind::floating: return value.number;
    case Kind::integer:
      number = to_double(value.text);
      if (std::isinf(number)) return std::nullopt;
      return number;
    default: return std::nullopt;
  }
}

}  // namespace

Result<std::optional<PythonValue>> read_value(std::string_view stored) {
  std::string kept;
  if (!simdjson::validate_utf8(stored.data(), stored.size())) {
    kept = without_invalid_utf8(stored);
    stored = kept;
  }
  auto value = read_python_json(stored);
  if (value && !*value) value = read_python_literal(stored);
  if (value && *value && (*value)->kind == Kind::none) return std::optional<PythonValue>();
  return value;
}

Result<std::optional<Envelope>> read_envelope(std::string_view stored) {
  auto value = read_value(stored);
  if (!value) return std::move(value).error();
  if (!*value) return std::optional<Envelope>();
  Envelope envelope;
  PythonValue* timestamp = (*value)->kind == Kind::dict ? find_member(**value, "timestamp") : nullptr;
  if (timestamp == nullptr) {
    auto json = to_json(**value);
    if (!json) return std::move(json).error();
    envelope.response = std::move(*json);
    return std::optional<Envelope>(std::move(envelope));
  }
  envelope.timestamp = seconds(*timestamp);
  if (!envelope.timestamp) return corrupt_value("the stored timestamp is not a number");
  PythonValue* response = find_member(**value, "response");
  if (response == nullptr) return corrupt_value("the stored value has a timestamp and no response");
  if (response->kind == Kind::string || response->kind == Kind::bytes) {
    envelope.response = with_replacements(std::move(response->text));
  } else if (response->kind == Kind::dict) {
    auto json = to_json(*response);
    if (!json) return std::move(json).error();
    envelope.response = std::move(*json);
  } else {
    return corrupt_value("the stored response is neither a text nor an object");
  }
  return std::optional<Envelope>(std::move(envelope));
}

std::string write_envelope(std::string_view response, double timestamp) {
  std::string out = "{\"timestamp\": ";
  out.reserve(response.size() + response.size() / 8 + 64);
  append_float(timestamp, out);
  out.append(", \"response\": ");
  if (simdjson::validate_utf8(response.data(), response.size())) {
    append_json_string(response, /*ascii=*/false, out);
  } else {
    append_json_string(with_replacements(std::string(response)), /*ascii=*/false, out);
  }
  return out.append("}");
}

Result<std::string> to_json(const PythonValue& value) {
  std::string out;
  if (auto written = append_json(value, {}, out); !written) return std::move(written).error();
  return out;
}

}  // namespace sosie::text
