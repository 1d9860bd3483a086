#include <algorithm>
#include <atomic>
#include <optional>
#include <random>

#include "protocol/protocol.h"

namespace sosie::protocol {
namespace {

/// Walks a valid JSON text without reading its values.
class Walker {
 public:
  Walker(std::string_view text, std::size_t at) : text_(text), at_(at) {}

  std::size_t at() const noexcept { return at_; }
  bool at_end() const noexcept { return at_ >= text_.size(); }
  char peek() const noexcept { return at_end() ? '\0' : text_[at_]; }
  void step() noexcept { ++at_; }
  void skip_space() noexcept {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) ++at_;
  }

  /// The inside of a string, escapes as they are.
  std::string_view string() noexcept {
    const std::size_t begin = ++at_;
    while (!at_end() && peek() != '"') at_ += peek() == '\\' ? 2 : 1;
    const std::size_t end = std::min(at_++, text_.size());
    return text_.substr(begin, end - begin);
  }

  void skip_value() noexcept {
    if (peek() == '"') {
      static_cast<void>(string());
      return;
    }
    const bool nested = peek() == '{' || peek() == '[';
    for (std::size_t depth = 0; !at_end();) {
      const char c = peek();
      if (c == '"') {
        static_cast<void>(string());
        continue;
      }
      if (!nested && (c == ',' || c == '}' || c == ' ' || c == '\t' || c == '\n' || c == '\r')) return;
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return;
    }
  }

 private:
  std::string_view text_;
  std::size_t at_;
};

/// Whether a string's inside, escapes and all, says `wanted`.
bool says(std::string_view escaped, std::string_view wanted) {
  if (escaped.find('\\') == std::string_view::npos) return escaped == wanted;
  JsonReader reader;
  std::string quoted = "\"";
  quoted.append(escaped).push_back('"');
  std::string_view text;
  const auto value = reader.read_copy(quoted);
  return value && value->get_string().get(text) == simdjson::SUCCESS && text == wanted;
}

}  // namespace

NotKept NotKept::in(std::string_view parent) const {
  NotKept whole = *this;
  whole.field = parent;
  if (!field.empty() && field.front() != '[') whole.field.push_back('.');
  whole.field.append(field);
  return whole;
}

std::string element_name(std::string_view list, std::size_t position) {
  return std::string(list).append(1, '[').append(std::to_string(position)).append(1, ']');
}

namespace {

/// Where a member stands in an object's text.
struct Place {
  std::size_t begin, end;  ///< With the comma that parts it from its neighbour, so that what is left without it is an object.
  std::size_t value_begin, value_end;
};

/// Unset: there is no such member at the top. REQUIRES: `object` is a valid JSON object.
std::optional<Place> find_member(std::string_view object, std::string_view key) {
  Walker walker(object, std::min(object.find('{'), object.size()));
  walker.step();
  std::size_t before = walker.at();  // Where the last comma is, or what follows the brace.
  bool first = true;
  for (walker.skip_space(); walker.peek() == '"'; walker.skip_space()) {
    const bool found = says(walker.string(), key);
    walker.skip_space();
    walker.step();  // the colon
    walker.skip_space();
    const std::size_t value = walker.at();
    walker.skip_value();
    const std::size_t end = walker.at();
    walker.skip_space();
    const bool more = walker.peek() == ',';
    if (found) return Place{before, first && more ? walker.at() + 1 : end, value, end};
    if (!more) break;
    before = walker.at();
    walker.step();
    first = false;
  }
  return std::nullopt;
}

bool is_object(std::string_view json) { return json.starts_with('{'); }

bool is_empty_object(std::string_view json) {
  Walker walker(json, 1);
  walker.skip_space();
  return is_object(json) && walker.peek() == '}';
}

/// `object` with one more member, ahead of the others.
std::string with_member(std::string_view object, std::string_view member) {
  const std::size_t inside = std::min(object.find('{'), object.size() - 1) + 1;
  const std::string_view rest = object.substr(inside);
  std::string out(object.substr(0, inside));
  out.append(member);
  if (!is_empty_object(object.substr(inside - 1))) out.push_back(',');
  return out.append(rest);
}

}  // namespace

std::string without_member(std::string_view body, std::string_view key) {
  const auto place = find_member(body, key);
  if (!place) return std::string(body);
  return std::string(body.substr(0, place->begin)).append(body.substr(place->end));
}

std::string without_path(std::string_view body, std::string_view path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return without_member(body, path);
  const std::string_view key = path.substr(0, dot);
  const auto place = find_member(body, key);
  if (!place) return std::string(body);
  const std::string_view value = body.substr(place->value_begin, place->value_end - place->value_begin);
  if (!is_object(value)) return std::string(body);
  const std::string inside = without_path(value, path.substr(dot + 1));
  if (is_empty_object(inside)) return without_member(body, key);
  return std::string(body.substr(0, place->value_begin)).append(inside).append(body.substr(place->value_end));
}

std::string with_usage_asked_for(std::string_view body) {
  constexpr std::string_view kOptions = "stream_options", kUsage = R"("include_usage":true)";
  std::string options = "{}";
  if (const auto place = find_member(body, kOptions)) {
    const std::string_view said = body.substr(place->value_begin, place->value_end - place->value_begin);
    if (is_object(said)) options = without_member(said, "include_usage");
  }
  std::string member;
  append_json_string(member, kOptions);
  member.append(":").append(with_member(options, kUsage));
  return with_member(without_member(body, kOptions), member);
}

std::string new_id(std::string_view prefix) {
  static const std::uint64_t seed = [] {
    std::random_device device;
    return (std::uint64_t{device()} << 32) | device();
  }();
  static std::atomic<std::uint64_t> counter{0};
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string id;
  id.reserve(prefix.size() + 32);
  id.append(prefix);
  std::uint64_t state = seed + counter.fetch_add(1, std::memory_order_relaxed) * 2;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t mixed = ++state * 0x9E3779B97F4A7C15;  // splitmix64: a bijection, so no two are equal
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    mixed ^= mixed >> 31;
    for (int shift = 60; shift >= 0; shift -= 4) id.push_back(kDigits[(mixed >> shift) & 15]);
  }
  return id;
}

std::vector<std::string_view> cut_at_words(std::string_view text) {
  std::vector<std::string_view> pieces;
  const std::size_t wanted = std::max<std::size_t>(24, text.size() / 8);
  while (text.size() > wanted) {
    const std::size_t end = text.find(' ', wanted);
    if (end == std::string_view::npos || end + 1 == text.size()) break;
    pieces.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  if (!text.empty()) pieces.push_back(text);
  return pieces;
}

}  // namespace sosie::protocol
