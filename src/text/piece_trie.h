// piece_trie.h: which pieces of a vocabulary a text begins with.
//
// Thread-safety: immutable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sosie::text {

class PieceTrie {
 public:
  /// `pieces` and what stands for each of them; of equal ones the last counts, and an empty one is no piece.
  explicit PieceTrie(const std::vector<std::pair<std::string_view, std::int32_t>>& pieces);

  /// Calls visit(bytes, id) for every piece that `text` begins with, the shortest first.
  template <typename Visit>
  void for_each_beginning(std::string_view text, Visit visit) const {
    std::uint32_t at = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
      at = child(at, static_cast<unsigned char>(text[i]));
      if (at == 0) return;
      if (nodes_[at].id != kNone) visit(i + 1, nodes_[at].id);
    }
  }

  /// What stands for exactly `piece`, or kNone.
  std::int32_t find(std::string_view piece) const noexcept;

  static constexpr std::int32_t kNone = -1;

 private:
  struct Node {
    std::uint32_t first = 0;  // Of its children, which follow each other by their bytes.
    std::uint32_t count = 0;
    std::int32_t id = kNone;
  };

  // 0: none, since nothing leads to the root.
  std::uint32_t child(std::uint32_t at, unsigned char byte) const noexcept;

  std::vector<Node> nodes_;
  std::vector<unsigned char> bytes_;  // That lead to each node.
};

}  // namespace sosie::text
