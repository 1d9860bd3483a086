#include "protocol/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <functional>
#include <new>
#include <span>
#include <utility>
#include <vector>

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kKeptCapacity = 1 << 20;  // A larger text's working memory is given back.
constexpr std::size_t kFirstCapacity = 32 << 10;

template <class Number>
void append_chars(std::string& out, Number number) {
  std::array<char, 40> digits;
  out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

void append_double(std::string& out, double number) { append_chars(out, number); }

void append_canonical_double(std::string& out, double number) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  if (number == std::floor(number) && std::abs(number) <= kExact) {
    append_chars(out, static_cast<std::int64_t>(number));
  } else {
    append_chars(out, number);
  }
}

void append_scalar(std::string& out, dom::element value, bool canonical) {
  switch (value.type()) {
    case dom::element_type::STRING: append_json_string(out, value.get_string().value_unsafe()); break;
    case dom::element_type::INT64: append_chars(out, value.get_int64().value_unsafe()); break;
    case dom::element_type::UINT64: append_chars(out, value.get_uint64().value_unsafe()); break;
    case dom::element_type::DOUBLE:
      canonical ? append_canonical_double(out, value.get_double().value_unsafe())
                : append_double(out, value.get_double().value_unsafe());
      break;
    case dom::element_type::BOOL: out.append(value.get_bool().value_unsafe() ? "true" : "false"); break;
    default: out.append("null"); break;
  }
}

void append_members(std::string& out, const dom::object& object, bool canonical);

void append_any(std::string& out, dom::element value, bool canonical) {
  if (value.is_array()) {
    out.push_back('[');
    bool first = true;
    for (const dom::array inside = value.get_array().value_unsafe(); const dom::element each : inside) {
      if (!std::exchange(first, false)) out.push_back(',');
      append_any(out, each, canonical);
    }
    out.push_back(']');
  } else if (value.is_object()) {
    append_members(out, value.get_object().value_unsafe(), canonical);
  } else {
    append_scalar(out, value, canonical);
  }
}

using Member = std::pair<std::string_view, dom::element>;

void append_member(std::string& out, const Member& member, bool canonical) {
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, member.first);
  out.push_back(':');
  append_any(out, member.second, canonical);
}

void append_sorted(std::string& out, std::span<Member> members) {
  // Members of one name keep their order, which is part of what they mean: the parser lays keys out one behind the
  // other.
  std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
    return a.first != b.first ? a.first < b.first : std::less<>()(a.first.data(), b.first.data());
  });
  for (const Member& member : members) append_member(out, member, true);
}

void append_members(std::string& out, const dom::object& object, bool canonical) {
  constexpr std::size_t kFew = 12;
  out.push_back('{');
  if (!canonical) {
    for (const auto& [key, value] : object) append_member(out, {key, value}, false);
  } else if (object.size() <= kFew) {
    std::array<Member, kFew> few;
    std::size_t count = 0;
    for (const auto& [key, value] : object) few[count++] = {key, value};
    append_sorted(out, std::span(few).first(count));
  } else {
    std::vector<Member> many;
    for (const auto& [key, value] : object) many.emplace_back(key, value);
    append_sorted(out, many);
  }
  out.push_back('}');
}

}  // namespace

namespace {

bool has_huge_object(dom::element value) {
  if (value.is_array()) {
    for (const dom::array items = value.get_array().value_unsafe(); const dom::element each : items)
      if (has_huge_object(each)) return true;
  } else if (value.is_object()) {
    const dom::object members = value.get_object().value_unsafe();
    if (members.size() > kMaxMembers) return true;
    for (const auto& member : members)
      if (has_huge_object(member.value)) return true;
  }
  return false;
}

}  // namespace

std::optional<dom::element> JsonReader::read(const std::string& text) { return parse(text.data(), text.size(), true); }

std::optional<dom::element> JsonReader::read_copy(std::string_view text) {
  return parse(text.data(), text.size(), false);
}

std::optional<dom::element> JsonReader::parse(const char* text, std::size_t size, bool padded) {
  const bool swollen = parser_.capacity() > kKeptCapacity && size < kKeptCapacity;
  if (!ready_ || swollen) {
    parser_ = dom::parser();
    ready_ = parser_.allocate(kFirstCapacity, kMaxJsonDepth) == simdjson::SUCCESS;
    if (!ready_) throw std::bad_alloc();
  }
  dom::element root;
  const auto failure = parser_.parse(text, size, !padded).get(root);
  // A member takes four bytes and more ("":0): a short text has no such object.
  const bool huge = failure == simdjson::SUCCESS && size > 4 * kMaxMembers && has_huge_object(root);
  if (failure == simdjson::SUCCESS && !huge) return root;
  if (failure == simdjson::MEMALLOC) throw std::bad_alloc();  // The text is not to blame.
  why_ = huge                              ? "has an object of too many members"
         : failure == simdjson::DEPTH_ERROR ? "is nested too deeply"
         : failure == simdjson::UTF8_ERROR ? "is not valid UTF-8"
         : failure == simdjson::EMPTY      ? "is empty"
                                           : "is not valid JSON";
  return std::nullopt;
}

bool has_duplicate_keys(const dom::object& object) {
  std::array<std::string_view, 24> few;
  std::vector<std::string_view> many;
  std::size_t count = 0;
  for (const auto& member : object) {
    if (count < few.size()) {
      few[count] = member.key;
    } else {
      if (many.empty()) many.assign(few.begin(), few.end());
      many.push_back(member.key);
    }
    ++count;
  }
  if (!many.empty()) {
    std::sort(many.begin(), many.end());
    return std::adjacent_find(many.begin(), many.end()) != many.end();
  }
  for (std::size_t i = 1; i < count; ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (few[i] == few[j]) return true;
  return false;
}

bool is_json(std::string_view text) {
  thread_local JsonReader reader;
  return reader.read_copy(text).has_value();
}

void append_json_string(std::string& out, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out.push_back('"');
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out.append(text.substr(plain, i - plain));
    plain = i + 1;
    switch (byte) {
      case '"': out.append("\\\""); break;
      case '\\': out.append("\\\\"); break;
      case '\n': out.append("\\n"); break;
      case '\r': out.append("\\r"); break;
      case '\t': out.append("\\t"); break;
      default: out.append("\\u00").append(1, kHex[byte >> 4]).append(1, kHex[byte & 15]); break;
    }
  }
  out.append(text.substr(plain)).push_back('"');
}

void append_json_number(std::string& out, std::int64_t number) { append_chars(out, number); }

void append_json(std::string& out, dom::element value) { append_any(out, value, false); }

void append_canonical_json(std::string& out, dom::element value) { append_any(out, value, true); }

}  // namespace sosie::protocol
