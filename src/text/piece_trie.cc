#include "text/piece_trie.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace sosie::text {
namespace {

// A piece to sort: its first bytes as one number decide nearly always.
struct Key {
  std::uint64_t start = 0;
  std::string_view piece;
  std::int32_t id = 0;
  std::size_t serial = 0;
};

std::uint64_t start_of(std::string_view piece) noexcept {
  std::uint64_t bytes = 0;
  std::memcpy(&bytes, piece.data(), std::min(piece.size(), sizeof bytes));
  return __builtin_bswap64(bytes);
}

}  // namespace

PieceTrie::PieceTrie(const std::vector<std::pair<std::string_view, std::int32_t>>& pieces) {
  static_assert(std::endian::native == std::endian::little);
  std::vector<Key> keys;
  keys.reserve(pieces.size());
  for (const auto& [piece, id] : pieces) {
    if (!piece.empty()) keys.push_back({start_of(piece), piece, id, keys.size()});
  }
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    if (a.start != b.start) return a.start < b.start;
    return a.piece != b.piece ? a.piece < b.piece : a.serial < b.serial;
  });

  // Level by level, so that the children of a node stand together.
  struct Range {
    std::size_t begin, end;
  };
  std::vector<Range> level = {{0, keys.size()}}, next;
  nodes_.resize(1);
  bytes_.resize(1);
  for (std::size_t depth = 0, first = 0; !level.empty(); ++depth) {
    const std::size_t after = nodes_.size();
    for (std::size_t i = 0; i < level.size(); ++i) {
      auto [begin, end] = level[i];
      for (; begin < end && keys[begin].piece.size() == depth; ++begin) nodes_[first + i].id = keys[begin].id;
      nodes_[first + i].first = static_cast<std::uint32_t>(nodes_.size());
      while (begin < end) {
        const char byte = keys[begin].piece[depth];
        std::size_t same = begin + 1;
        while (same < end && keys[same].piece[depth] == byte) ++same;
        next.push_back({begin, same});
        nodes_.emplace_back();
        bytes_.push_back(static_cast<unsigned char>(byte));
        ++nodes_[first + i].count;
        begin = same;
      }
    }
    first = after;
    level.swap(next);
    next.clear();
  }
}

std::uint32_t PieceTrie::child(std::uint32_t at, unsigned char byte) const noexcept {
  const Node& node = nodes_[at];
  const auto begin = bytes_.begin() + node.first, end = begin + node.count;
  const auto found = std::lower_bound(begin, end, byte);
  return found != end && *found == byte ? static_cast<std::uint32_t>(found - bytes_.begin()) : 0;
}

std::int32_t PieceTrie::find(std::string_view piece) const noexcept {
  std::uint32_t at = 0;
  for (const char c : piece) {
    at = child(at, static_cast<unsigned char>(c));
    if (at == 0) return kNone;
  }
  return nodes_[at].id;
}

}  // namespace sosie::text
