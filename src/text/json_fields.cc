#include "text/json_fields.h"

namespace sosie::text {
namespace {

constexpr int kMaxDepth = 32;

// Brackets outside strings, counted before a parser that would follow them down.
bool too_deep(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

std::string message(std::string_view file, std::string_view field, std::string_view what) {
  std::string text(file);
  if (!field.empty()) text.append(": ").append(field);
  return text.append(" ").append(what);
}

}  // namespace

Error corrupt(std::string_view file, std::string_view field, std::string_view what) {
  return {ErrorCode::data_corruption, message(file, field, what)};
}

Error unsupported(std::string_view file, std::string_view field, std::string_view what) {
  return {ErrorCode::unsupported, message(file, field, what)};
}

std::string shown(const nlohmann::json& value) {
  std::string text = value.dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

Result<nlohmann::json> parse_json(std::string_view json, std::string_view file) {
  if (too_deep(json)) return corrupt(file, "", "is nested deeper than any model file");
  auto value = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return corrupt(file, "", "is not JSON: fetch the file again");
  return value;
}

Result<nlohmann::json> parse_object(std::string_view json, std::string_view file) {
  auto value = parse_json(json, file);
  if (value && !value->is_object()) return corrupt(file, "", "is not a JSON object: fetch the file again");
  return value;
}

Result<std::int64_t> integer_field(const nlohmann::json& object, const char* field, std::int64_t low, std::int64_t high,
                                   std::optional<std::int64_t> absent, std::string_view file) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) {
    if (absent) return *absent;
    return corrupt(file, field, "is missing");
  }
  if (!found->is_number_integer()) return corrupt(file, field, "is " + shown(*found) + ", not a whole number");
  const bool huge = found->is_number_unsigned() && found->get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX);
  const std::int64_t value = huge ? INT64_MAX : found->get<std::int64_t>();
  if (value < low || value > high) {
    return corrupt(file, field, "is " + shown(*found) + ", outside " + std::to_string(low) + ".." + std::to_string(high));
  }
  return value;
}

Result<bool> bool_field(const nlohmann::json& object, const char* field, bool absent, std::string_view file) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return absent;
  if (!found->is_boolean()) return corrupt(file, field, "is " + shown(*found) + ", not true or false");
  return found->get<bool>();
}

Result<std::string> string_field(const nlohmann::json& object, const char* field, std::string_view absent, std::string_view file) {
  const auto found = object.find(field);
  if (found == object.end() || found->is_null()) return std::string(absent);
  if (!found->is_string()) return corrupt(file, field, "is " + shown(*found) + ", not a string");
  return found->get<std::string>();
}

}  // namespace sosie::text
