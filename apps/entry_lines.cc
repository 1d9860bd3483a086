#include "entry_lines.h"

#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "text/utf8.h"
#include "timestamps.h"

namespace sosie::app {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

ordered_json from_bytes(const std::string& bytes) {
  if (text::validate_utf8(bytes)) return bytes;
  std::string hex;
  char digits[3];
  for (const char c : bytes) {
    std::snprintf(digits, sizeof digits, "%02x", static_cast<unsigned char>(c));
    hex += digits;
  }
  return {{"hex", std::move(hex)}};
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> to_bytes(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  const auto hex = value.is_object() ? value.find("hex") : value.end();
  if (!value.is_object() || hex == value.end() || !hex->is_string()) return std::nullopt;
  const auto& digits = hex->get_ref<const std::string&>();
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    const int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high * 16 + low));
  }
  return bytes;
}

/// An object; or pairs, where a name is not UTF-8.
ordered_json from_attributes(const Attributes& attributes) {
  ordered_json object = ordered_json::object(), pairs = ordered_json::array();
  bool all_utf8 = true;
  for (const auto& [name, value] : attributes) {
    all_utf8 = all_utf8 && text::validate_utf8(name);
    if (all_utf8) object[name] = from_bytes(value);
    pairs.push_back(ordered_json::array({from_bytes(name), from_bytes(value)}));
  }
  return all_utf8 ? object : pairs;
}

std::optional<Attributes> to_attributes(const json& value) {
  Attributes attributes;
  if (value.is_object()) {
    for (const auto& [name, each] : value.items()) {
      auto bytes = to_bytes(each);
      if (!bytes) return std::nullopt;
      attributes[name] = std::move(*bytes);
    }
    return attributes;
  }
  if (!value.is_array()) return std::nullopt;
  for (const json& pair : value) {
    if (!pair.is_array() || pair.size() != 2) return std::nullopt;
    auto name = to_bytes(pair[0]), bytes = to_bytes(pair[1]);
    if (!name || !bytes) return std::nullopt;
    attributes[std::move(*name)] = std::move(*bytes);
  }
  return attributes;
}

std::optional<TimePoint> to_time(const json& value) {
  if (value.is_string()) return parse_timestamp(value.get_ref<const std::string&>());
  if (value.is_number_integer()) return TimePoint(std::chrono::milliseconds(value.get<std::int64_t>()));
  return std::nullopt;
}

ordered_json from_time(TimePoint time) {
  auto text = format_timestamp(time);
  if (text) return std::move(*text);
  return time.time_since_epoch().count();
}

Error wrong(const char* what) { return {ErrorCode::invalid_argument, what}; }

}  // namespace

std::string entry_to_line(const Entry& entry) {
  ordered_json line{{"id", entry.id},
                          {"scope", from_bytes(entry.scope)},
                          {"prompt", from_bytes(entry.prompt)},
                          {"response", from_bytes(entry.response)},
                          {"attributes", from_attributes(entry.attributes)},
                          {"created", from_time(entry.created)},
                          {"expires", entry.expires ? from_time(*entry.expires) : ordered_json()}};
  if (entry.exact_only) line["exact_only"] = true;
  return line.dump();
}

Result<Entry> entry_from_line(std::string_view line, TimePoint now) {
  const json value = json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!value.is_object()) return wrong("is not a JSON object");
  const auto bytes = [&](const char* name, const json& absent) { return to_bytes(value.value(name, absent)); };
  auto scope = bytes("scope", ""), prompt = bytes("prompt", nullptr), response = bytes("response", nullptr);
  if (!scope) return wrong("has a scope that is neither text nor {\"hex\": …}");
  if (!prompt) return wrong("has no prompt that is text or {\"hex\": …}");
  if (!response) return wrong("has no response that is text or {\"hex\": …}");
  auto attributes = to_attributes(value.value("attributes", json::object()));
  if (!attributes) return wrong("has attributes that are no names and values");
  Entry entry{.scope = std::move(*scope),
              .prompt = std::move(*prompt),
              .response = std::move(*response),
              .attributes = std::move(*attributes),
              .created = now};
  if (const auto created = value.find("created"); created != value.end() && !created->is_null()) {
    const auto time = to_time(*created);
    if (!time) return wrong("has a time of creation that is neither RFC 3339 nor milliseconds");
    entry.created = *time;
  }
  if (const auto expires = value.find("expires"); expires != value.end() && !expires->is_null()) {
    entry.expires = to_time(*expires);
    if (!entry.expires) return wrong("has a time of expiry that is neither RFC 3339 nor milliseconds");
  }
  if (const auto exact = value.find("exact_only"); exact != value.end() && !exact->is_null()) {
    if (!exact->is_boolean()) return wrong("has an exact_only that is neither true nor false");
    entry.exact_only = exact->get<bool>();
  }
  return entry;
}

}  // namespace sosie::app
