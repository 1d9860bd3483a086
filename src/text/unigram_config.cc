// Unigram in tokenizer.json.
#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "text/json_fields.h"
#include "text/tokenizer_fields.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

using nlohmann::json;

std::optional<std::string> from_base64(std::string_view text) {
  std::string bytes;
  std::uint32_t bits = 0;
  int held = 0;
  if (text.size() % 4 != 0) return std::nullopt;
  while (text.ends_with('=') && text.size() % 4 != 2) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes.push_back(static_cast<char>((bits >> held) & 0xFF));
  }
  return bytes;
}

// The number as Hugging Face `tokenizers` reads it: all its digits, and then a power of ten, which rounds twice. Between pieces that are
// equally likely in whichever order the last bit decides.
double score_of(const json& number) {
  if (!number.is_number_float()) return number.get<double>();
  const double exact = number.get<double>();
  std::array<char, 64> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), exact, std::chars_format::scientific);
  std::uint64_t digits = 0;
  int exponent = 0;
  const std::string_view all(text.data(), static_cast<std::size_t>(written.ptr - text.data()));
  const std::size_t e = std::min(all.find('e'), all.size());
  bool behind_point = false;
  for (const char c : all.substr(0, e)) {
    if (c == '.') behind_point = true;
    if (c < '0' || c > '9') continue;
    digits = digits * 10 + static_cast<std::uint64_t>(c - '0');
    exponent -= behind_point;
  }
  int power = 0;
  if (e < all.size()) std::from_chars(all.data() + e + (all[e + 1] == '+' ? 2 : 1), all.data() + all.size(), power);
  exponent += power;
  if (exponent < -308 || exponent > 308) return exact;
  double scale = 1;
  const std::string spelled = "1e" + std::to_string(std::abs(exponent));
  std::from_chars(spelled.data(), spelled.data() + spelled.size(), scale);
  const double value = exponent < 0 ? static_cast<double>(digits) / scale : static_cast<double>(digits) * scale;
  return exact < 0 ? -value : value;
}

Result<void> read_vocabulary(const json& model, UnigramSpec& spec, std::string_view file) {
  const auto vocabulary = model.find("vocab");
  if (vocabulary == model.end() || !vocabulary->is_array() || vocabulary->empty()) return corrupt(file, "model.vocab", "is missing or empty");
  if (vocabulary->size() > static_cast<std::size_t>(kMaxTokenId)) return corrupt(file, "model.vocab", "has too many pieces");
  spec.vocabulary.reserve(vocabulary->size());
  for (const json& entry : *vocabulary) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      return corrupt(file, "model.vocab", "has an element that is not a piece and its score");
    }
    spec.vocabulary.emplace_back(entry[0].get_ref<const std::string&>(), score_of(entry[1]));
  }
  const auto unknown = model.find("unk_id");
  if (unknown == model.end() || unknown->is_null()) return unsupported(file, "model.unk_id", "is missing");
  auto id = integer_field(model, "unk_id", 0, static_cast<std::int64_t>(spec.vocabulary.size()) - 1, {}, file);
  if (!id) return id.error();
  spec.unknown = static_cast<std::int32_t>(*id);
  auto fallback = bool_field(model, "byte_fallback", false, file);
  if (!fallback) return fallback.error();
  spec.byte_fallback = *fallback;
  return {};
}

std::u32string points_of(std::string_view text) {
  std::u32string points;
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    points.push_back(next.point);
    at += next.bytes;
  }
  return points;
}

Result<UnigramSpec::Step> read_step(const json& step, std::string_view file) {
  if (!step.is_object()) return corrupt(file, "normalizer", "has an element that is not an object");
  auto type = string_field(step, "type", "null", file);
  if (!type) return type.error();
  if (*type == "Precompiled") {
    auto text = string_field(step, "precompiled_charsmap", "", file);
    if (!text) return text.error();
    const auto bytes = from_base64(*text);
    auto map = bytes ? Charsmap::create(*bytes) : std::nullopt;
    if (!map) return corrupt(file, "normalizer.precompiled_charsmap", "is no table of replacements: fetch the file again");
    return UnigramSpec::Step(std::move(*map));
  }
  if (*type == "Strip") {
    auto left = bool_field(step, "strip_left", true, file);
    if (!left) return left.error();
    auto right = bool_field(step, "strip_right", true, file);
    if (!right) return right.error();
    return UnigramSpec::Step(UnigramSpec::Strip{*left, *right});
  }
  if (*type == "Replace") {
    const auto pattern = step.find("pattern");
    const bool spaces = pattern != step.end() && pattern->is_object() && pattern->contains("Regex") && (*pattern)["Regex"] == " {2,}";
    if (!spaces) return unsupported(file, "normalizer.pattern", "is not the regular expression \" {2,}\", which alone is known");
    auto content = string_field(step, "content", "", file);
    if (!content) return content.error();
    return UnigramSpec::Step(UnigramSpec::CollapseSpaces{points_of(*content)});
  }
  return unsupported(file, "normalizer.type", "is \"" + *type + "\"; of a Unigram model Precompiled, Strip, Replace and a Sequence of them are known");
}

// What stands in `field`, or in the array `elements` of it where it is a Sequence.
Result<std::vector<json>> sequence_of(const json& root, const char* field, const char* elements, std::string_view file) {
  auto type = type_of(root, field, file);
  if (!type) return type.error();
  if (*type == "null") return std::vector<json>();
  const json& value = root[field];
  if (*type != "Sequence") return std::vector<json>{value};
  const auto found = value.find(elements);
  if (found == value.end() || !found->is_array()) return corrupt(file, field, "is a Sequence of nothing");
  return std::vector<json>(found->begin(), found->end());
}

Result<void> read_metaspace(const json& metaspace, UnigramSpec& spec, std::string_view file) {
  auto mark = string_field(metaspace, "replacement", "\u2581", file);
  if (!mark) return mark.error();
  const std::u32string points = points_of(*mark);
  if (points.size() != 1) return corrupt(file, "pre_tokenizer.replacement", "is not one character");
  spec.space_mark = points[0];
  auto split = bool_field(metaspace, "split", true, file);
  if (!split) return split.error();
  spec.split_at_mark = *split;
  // Older files have add_prefix_space alone, and some have both.
  auto prefixes = bool_field(metaspace, "add_prefix_space", true, file);
  if (!prefixes) return prefixes.error();
  auto scheme = string_field(metaspace, "prepend_scheme", *prefixes ? "always" : "never", file);
  if (!scheme) return scheme.error();
  if (!*prefixes && *scheme != "never") return corrupt(file, "pre_tokenizer.prepend_scheme", "says another thing than add_prefix_space");
  if (*scheme != "always" && *scheme != "never") {
    return unsupported(file, "pre_tokenizer.prepend_scheme", "is \"" + *scheme + "\"; \"always\" and \"never\" are known");
  }
  spec.prepends_mark = *scheme == "always";
  return {};
}

Result<void> read_splitter(const json& root, UnigramSpec& spec, std::string_view file) {
  auto parts = sequence_of(root, "pre_tokenizer", "pretokenizers", file);
  if (!parts) return parts.error();
  bool marked = false;
  for (const json& part : *parts) {
    if (!part.is_object()) return corrupt(file, "pre_tokenizer", "has an element that is not an object");
    auto type = string_field(part, "type", "null", file);
    if (!type) return type.error();
    if (*type == "WhitespaceSplit" && !marked) {
      spec.split_at_space = true;
    } else if (*type == "Metaspace" && !marked) {
      marked = true;
      auto read = read_metaspace(part, spec, file);
      if (!read) return read.error();
    } else {
      return unsupported(file, "pre_tokenizer.type", "is \"" + *type + "\"; of a Unigram model Metaspace is known, and WhitespaceSplit before it");
    }
  }
  if (!marked) return unsupported(file, "pre_tokenizer.type", "is not Metaspace, which alone is known of a Unigram model");
  return {};
}

}  // namespace

Result<UnigramSpec> read_unigram(const json& root, std::string_view file) {
  UnigramSpec spec;
  auto vocabulary = read_vocabulary(root["model"], spec, file);
  if (!vocabulary) return vocabulary.error();
  auto steps = sequence_of(root, "normalizer", "normalizers", file);
  if (!steps) return steps.error();
  for (const json& each : *steps) {
    auto step = read_step(each, file);
    if (!step) return step.error();
    spec.steps.push_back(std::move(*step));
  }
  auto splitter = read_splitter(root, spec, file);
  if (!splitter) return splitter.error();
  auto added = read_added_tokens(root, file);
  if (!added) return added.error();
  for (AddedToken& token : *added) {
    spec.added.push_back({std::move(token.content), token.id, token.strips_left, token.strips_right, token.normalized});
  }
  const auto id_of = [&](std::string_view name) -> std::optional<std::int32_t> {
    const auto token = std::find_if(spec.added.begin(), spec.added.end(), [&](const auto& each) { return each.content == name; });
    if (token != spec.added.end()) return token->id;
    const auto piece = std::find_if(spec.vocabulary.begin(), spec.vocabulary.end(), [&](const auto& each) { return each.first == name; });
    if (piece != spec.vocabulary.end()) return static_cast<std::int32_t>(piece - spec.vocabulary.begin());
    return std::nullopt;
  };
  auto ends = read_ends(root, id_of, file);
  if (!ends) return ends.error();
  spec.opening = ends->opening;
  spec.closing = ends->closing;
  return spec;
}

}  // namespace sosie::text
