// object_writer.h: JSON objects, written member by member.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/json.h"

namespace sosie::protocol {

/// Writes one object at the end of `out`, whole once this is destroyed.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  ~ObjectWriter() { out_.push_back('}'); }
  ObjectWriter(const ObjectWriter&) = delete;
  ObjectWriter& operator=(const ObjectWriter&) = delete;

  /// Where the value is to be appended.
  std::string& name(std::string_view key) {
    if (!first_) out_.push_back(',');
    first_ = false;
    append_json_string(out_, key);
    out_.push_back(':');
    return out_;
  }
  ObjectWriter& json(std::string_view key, std::string_view json) {
    name(key).append(json);
    return *this;
  }
  ObjectWriter& json(std::string_view key, simdjson::dom::element value) {
    append_json(name(key), value);
    return *this;
  }
  ObjectWriter& text(std::string_view key, std::string_view text) {
    append_json_string(name(key), text);
    return *this;
  }
  ObjectWriter& number(std::string_view key, std::int64_t number) {
    append_json_number(name(key), number);
    return *this;
  }

 private:
  std::string& out_;
  bool first_ = true;
};

}  // namespace sosie::protocol
