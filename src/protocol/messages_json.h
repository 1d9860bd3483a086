// messages_json.h: members of JSON objects.
#pragma once

#include <simdjson.h>

#include <string>
#include <string_view>

#include "protocol/json.h"
#include "protocol/object_writer.h"

namespace sosie::protocol::messages {

/// Empty where there is no string of that name.
inline std::string_view text_in(const simdjson::dom::object& object, std::string_view key) {
  std::string_view text;
  static_cast<void>(object[key].get_string().get(text));
  return text;
}

/// What says nothing: null, and an empty array.
inline bool says_nothing(simdjson::dom::element value) {
  simdjson::dom::array items;
  return value.is_null() || (value.get_array().get(items) == simdjson::SUCCESS && items.size() == 0);
}

inline bool is_false(simdjson::dom::element value) {
  bool truth = true;
  return value.get_bool().get(truth) == simdjson::SUCCESS && !truth;
}

inline bool is_text(simdjson::dom::element value, std::string_view wanted) {
  std::string_view text;
  return value.get_string().get(text) == simdjson::SUCCESS && text == wanted;
}

}  // namespace sosie::protocol::messages
