#include "text/charsmap.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "text/utf8.h"

namespace sosie::text {
namespace {

// A unit of the double array (Darts): the byte that leads to it, whether a key ends there, and how far its children stand from it; or the
// value of a key.
struct Unit {
  std::uint32_t bits;

  bool ends_key() const noexcept { return ((bits >> 8) & 1) != 0; }
  std::uint32_t value() const noexcept { return bits & 0x7FFFFFFF; }
  std::uint32_t label() const noexcept { return bits & 0x800000FF; }
  std::uint32_t offset() const noexcept { return (bits >> 10) << ((bits & (1U << 9)) >> 6); }
};

}  // namespace

std::optional<Charsmap> Charsmap::create(std::string_view bytes) {
  static_assert(std::endian::native == std::endian::little);
  std::uint32_t size = 0;
  if (bytes.size() < sizeof size) return std::nullopt;
  std::memcpy(&size, bytes.data(), sizeof size);
  bytes.remove_prefix(sizeof size);
  if (size == 0 || size % sizeof(std::uint32_t) != 0 || size > bytes.size() || !validate_utf8(bytes.substr(size))) return std::nullopt;
  Charsmap map;
  map.units_.resize(size / sizeof(std::uint32_t));
  std::memcpy(map.units_.data(), bytes.data(), size);
  map.texts_ = bytes.substr(size);
  return map;
}

std::optional<std::string_view> Charsmap::replacement(std::string_view chunk) const noexcept {
  std::uint32_t at = Unit{units_[0]}.offset();
  for (const char c : chunk) {
    const std::uint32_t byte = static_cast<unsigned char>(c);
    at ^= byte;
    if (byte == 0 || at >= units_.size()) return std::nullopt;
    const Unit unit{units_[at]};
    if (unit.label() != byte) return std::nullopt;
    at ^= unit.offset();
    if (!unit.ends_key()) continue;
    if (at >= units_.size()) return std::nullopt;
    const std::size_t begin = Unit{units_[at]}.value();
    if (begin > texts_.size() || (begin < texts_.size() && (static_cast<unsigned char>(texts_[begin]) & 0xC0) == 0x80)) return std::nullopt;
    const std::size_t end = std::min(texts_.find('\0', begin), texts_.size());
    return std::string_view(texts_).substr(begin, end - begin);
  }
  return std::nullopt;
}

}  // namespace sosie::text
