#include "protocol/joined_parts.h"

#include <algorithm>
#include <array>

#include "protocol/json.h"
#include "protocol/object_writer.h"

namespace sosie::protocol {
namespace {

namespace dom = simdjson::dom;

template <std::size_t N>
bool is_among(std::string_view key, const std::array<std::string_view, N>& keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

/// Strings that come in pieces, and lists of parts that do.
bool is_joined(std::string_view key) {
  constexpr std::array<std::string_view, 6> kKeys{"text", "thinking", "reasoning", "summary", "data", "content"};
  return is_among(key, kKeys);
}

/// What a piece may say besides, each time or at last.
bool is_said_once(std::string_view key) {
  constexpr std::array<std::string_view, 6> kKeys{"type", "index", "id", "format", "signature", "closed"};
  return is_among(key, kKeys);
}

bool is_piece(const dom::object& part) {
  return std::all_of(part.begin(), part.end(), [](const dom::key_value_pair& member) {
    const bool holds_pieces = member.value.is_string() || member.value.is_array();
    return member.value.is_null() || is_said_once(member.key) || (is_joined(member.key) && holds_pieces);
  });
}

}  // namespace

bool JoinedParts::add(const dom::array& pieces) {
  for (const dom::element each : pieces) {
    dom::object piece;
    if (each.get_object().get(piece) == simdjson::SUCCESS && is_piece(piece)) {
      if (!add_piece(piece)) return false;
    } else {
      append_json(parts_.emplace_back().whole, each);
    }
  }
  return true;
}

void JoinedParts::add_text(std::string_view text) {
  Member& member = member_of(part_of("text", std::nullopt), "text");
  member.is_text = true;
  member.value.append(text);
}

bool JoinedParts::add_piece(const dom::object& piece) {
  std::string_view type, text;
  std::int64_t number = 0;
  std::optional<std::int64_t> index;
  static_cast<void>(piece["type"].get_string().get(type));
  if (piece["index"].get_int64().get(number) == simdjson::SUCCESS) index = number;
  Part& part = part_of(type, index);
  for (const auto& [key, value] : piece) {
    dom::array inner;
    if (key == "type" || key == "index" || value.is_null()) continue;
    Member& member = member_of(part, key);
    if (value.get_array().get(inner) == simdjson::SUCCESS) {
      if (member.list.empty()) member.list.emplace_back();
      if (member.is_text || !member.list.front().add(inner)) return false;
    } else if (is_joined(key)) {
      if (!member.list.empty() || value.get_string().get(text) != simdjson::SUCCESS) return false;
      member.is_text = true;
      member.value.append(text);
    } else if (!value.get_string().get(text) && text.empty() && !member.value.empty()) {
      continue;  // An empty value overwrites nothing.
    } else {
      member.value.clear();
      append_json(member.value, value);
    }
  }
  return true;
}

JoinedParts::Part& JoinedParts::part_of(std::string_view type, std::optional<std::int64_t> index) {
  const bool follows = !parts_.empty() && parts_.back().whole.empty() && parts_.back().type == type;
  if (!index && follows && !parts_.back().index) return parts_.back();
  if (index) {
    const auto [place, is_new] = indexed_.try_emplace({*index, std::string(type)}, parts_.size());
    if (!is_new) return parts_[place->second];
  }
  Part& part = parts_.emplace_back();
  part.type = type;
  part.index = index;
  return part;
}

JoinedParts::Member& JoinedParts::member_of(Part& part, std::string_view key) {
  const auto found = std::find_if(part.members.begin(), part.members.end(), [key](const Member& each) { return each.key == key; });
  if (found != part.members.end()) return *found;
  Member& member = part.members.emplace_back();
  member.key = key;
  return member;
}

void JoinedParts::append(std::string& out) const {
  char before = '[';
  for (const Part& part : parts_) {
    out.push_back(std::exchange(before, ','));
    if (!part.whole.empty()) {
      out.append(part.whole);
      continue;
    }
    ObjectWriter object(out);
    if (!part.type.empty()) object.text("type", part.type);
    for (const Member& member : part.members) {
      if (!member.list.empty()) {
        member.list.front().append(object.name(member.key));
      } else if (member.is_text) {
        object.text(member.key, member.value);
      } else {
        object.json(member.key, std::string_view(member.value));
      }
    }
    if (part.index) object.number("index", *part.index);
  }
  if (before == '[') out.push_back('[');
  out.push_back(']');
}

}  // namespace sosie::protocol
