// joined_parts.h: a list of parts (content, details of a reasoning) that a stream brings in pieces.
#pragma once

#include <simdjson.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sosie::protocol {

/// Pieces of one part have its type and its index; without an index they follow one another. Their texts are joined, of their other
/// members the last word counts. What says more than a piece may is a part of its own.
class JoinedParts {
 public:
  /// False: a piece does not go with those before it.
  [[nodiscard]] bool add(const simdjson::dom::array& pieces);
  /// A piece of a part of type "text".
  void add_text(std::string_view text);

  bool empty() const noexcept { return parts_.empty(); }
  /// The list as JSON.
  void append(std::string& out) const;

 private:
  struct Member {
    std::string key;
    std::string value;              ///< Of a text: its bytes. Else JSON.
    bool is_text = false;
    std::vector<JoinedParts> list;  ///< One where the value is a list that is joined itself; else none.
  };
  struct Part {
    std::string type;
    std::optional<std::int64_t> index;
    std::vector<Member> members;
    std::string whole;  ///< JSON of a part that came at once; `members` is empty then.
  };

  bool add_piece(const simdjson::dom::object& piece);
  Part& part_of(std::string_view type, std::optional<std::int64_t> index);
  static Member& member_of(Part& part, std::string_view key);

  std::vector<Part> parts_;
  std::map<std::pair<std::int64_t, std::string>, std::size_t> indexed_;  // their places in parts_
};

}  // namespace sosie::protocol
