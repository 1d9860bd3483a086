#include "text/embeddings_json.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "text/json_text.h"
#include "text/python_text.h"

namespace sosie::text {
namespace {

namespace dom = simdjson::dom;

constexpr std::string_view kMark = "semantic-cache-embedding";
constexpr std::size_t kMaxNesting = 64;

using Vector = std::vector<float>;

/// The members of `metadata` and the mark, which stands for a member of its own name. False: not a JSON object.
bool append_metadata(std::string& out, std::string_view metadata) {
  dom::parser parser;
  dom::object members;
  if (parser.allocate(metadata.size(), kMaxNesting) != simdjson::SUCCESS) return false;
  if (parser.parse(metadata.data(), metadata.size()).get_object().get(members) != simdjson::SUCCESS) return false;
  out.push_back('{');
  for (const auto& [name, value] : members) {
    if (name == kMark) continue;
    append_json_string(name, /*ascii=*/false, out);
    out.append(":").append(simdjson::to_string(value)).push_back(',');
  }
  append_json_string(kMark, /*ascii=*/false, out);
  out.append(":true}");
  return true;
}

Error malformed(std::string_view what) {
  return {ErrorCode::unavailable,
          "its answer is not that of an embeddings API: " + std::string(what) + "; check base URL and model"};
}

/// Unset: not base64 (with or without padding).
std::optional<std::string> decode_base64(std::string_view text) {
  static const auto kValues = [] {
    std::array<std::int8_t, 256> values;
    values.fill(-1);
    constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (std::size_t i = 0; i < kDigits.size(); ++i)
      values[static_cast<unsigned char>(kDigits[i])] = static_cast<std::int8_t>(i);
    return values;
  }();
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int value = kValues[static_cast<unsigned char>(c)];
    if (value < 0) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    if (count += 6; count >= 8) bytes.push_back(static_cast<char>(bits >> (count -= 8)));
  }
  return bytes;
}

std::optional<Vector> read_numbers(const dom::array& numbers) {
  Vector vector;
  for (const dom::element each : numbers) {
    double value = 0;
    if (!each.is_number() || each.get_double().get(value) != simdjson::SUCCESS || vector.size() == kMaxDimension)
      return std::nullopt;
    if (std::abs(value) > std::numeric_limits<float>::max()) return std::nullopt;
    vector.push_back(static_cast<float>(value));
  }
  return vector;
}

std::optional<Vector> read_base64(std::string_view text) {
  if (text.size() > kMaxDimension * 6) return std::nullopt;
  const auto bytes = decode_base64(text);
  if (!bytes || bytes->size() % 4 != 0 || bytes->size() / 4 > kMaxDimension) return std::nullopt;
  Vector vector;
  for (std::size_t i = 0; i < bytes->size(); i += 4) {
    std::uint32_t bits = 0;
    for (std::size_t k = 4; k-- > 0;) bits = (bits << 8) | static_cast<unsigned char>((*bytes)[i + k]);
    vector.push_back(std::bit_cast<float>(bits));
  }
  return vector;
}

std::optional<Vector> read_vector(const dom::element& embedding) {
  std::optional<Vector> vector;
  if (dom::array numbers; embedding.get_array().get(numbers) == simdjson::SUCCESS) vector = read_numbers(numbers);
  if (std::string_view text; embedding.get_string().get(text) == simdjson::SUCCESS) vector = read_base64(text);
  if (!vector) return std::nullopt;
  const bool finite = std::all_of(vector->begin(), vector->end(), [](float value) { return std::isfinite(value); });
  const bool directed = std::any_of(vector->begin(), vector->end(), [](float value) { return value != 0; });
  if (!finite || !directed) return std::nullopt;
  return vector;
}

}  // namespace

Result<std::string> write_embeddings_request(std::string_view model, std::span<const std::string> texts,
                                             std::string_view metadata) {
  std::string body = "{\"model\":";
  append_json_string(with_replacements(std::string(model)), /*ascii=*/false, body);
  body += ",\"input\":[";
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) body.push_back(',');
    append_json_string(with_replacements(texts[i]), /*ascii=*/false, body);
  }
  body += "],\"encoding_format\":\"float\"";
  if (!metadata.empty()) {
    body += ",\"metadata\":";
    if (!append_metadata(body, metadata))
      return Error{ErrorCode::invalid_argument, "the metadata of an embedding call must be a JSON object"};
  }
  body.push_back('}');
  return body;
}

Result<std::vector<std::vector<float>>> read_embeddings_answer(std::string_view body, std::size_t count) {
  dom::parser parser;
  dom::element root;
  dom::array items;
  if (parser.allocate(body.size(), kMaxNesting) != simdjson::SUCCESS) return malformed("it is too large");
  if (parser.parse(body.data(), body.size()).get(root) != simdjson::SUCCESS) return malformed("it is not JSON");
  if (root["data"].get_array().get(items) != simdjson::SUCCESS) return malformed("it has no list \"data\"");

  std::vector<Vector> vectors(count);
  std::size_t seen = 0;
  for (const dom::element item : items) {
    if (seen == count) return malformed("it has more vectors than there were texts");
    std::uint64_t at = seen;  // where no index is given
    if (dom::element index;
        item["index"].get(index) == simdjson::SUCCESS && index.get_uint64().get(at) != simdjson::SUCCESS)
      at = count;
    if (at >= count || !vectors[at].empty()) return malformed("an index is out of range, or there twice");
    dom::element embedding;
    if (item["embedding"].get(embedding) != simdjson::SUCCESS) return malformed("an item has no \"embedding\"");
    auto vector = read_vector(embedding);
    if (!vector) return malformed("an embedding is not a list of finite numbers, not all 0");
    vectors[at] = std::move(*vector);
    ++seen;
  }
  if (seen != count) return malformed("it has fewer vectors than there were texts");
  for (const Vector& vector : vectors)
    if (vector.size() != vectors.front().size()) return malformed("its vectors differ in length");
  return vectors;
}

}  // namespace sosie::text
