// json_fields.h: JSON objects read field by field, with errors that name file and field.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "sosie/result.h"

namespace sosie::text {

/// Parses an object; deeper nesting than any model file has, and other kinds of value, are data_corruption.
Result<nlohmann::json> parse_object(std::string_view json, std::string_view file);

/// Parses any value, as `parse_object` does.
Result<nlohmann::json> parse_json(std::string_view json, std::string_view file);

Error corrupt(std::string_view file, std::string_view field, std::string_view what);
Error unsupported(std::string_view file, std::string_view field, std::string_view what);

/// The value in a short form for messages.
std::string shown(const nlohmann::json& value);

/// A whole number in [low, high]; absent or null: `absent`, or data_corruption without one.
Result<std::int64_t> integer_field(const nlohmann::json& object, const char* field, std::int64_t low, std::int64_t high,
                                   std::optional<std::int64_t> absent, std::string_view file);

/// true or false; absent or null: `absent`.
Result<bool> bool_field(const nlohmann::json& object, const char* field, bool absent, std::string_view file);

/// A string; absent or null: `absent`.
Result<std::string> string_field(const nlohmann::json& object, const char* field, std::string_view absent, std::string_view file);

}  // namespace sosie::text
