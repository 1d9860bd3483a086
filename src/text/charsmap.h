// charsmap.h: the replacements that a SentencePiece model carries: `precompiled_charsmap`.
//
// Thread-safety: immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sosie::text {

class Charsmap {
 public:
  /// `bytes`: the length of a double array of 32-bit units in little-endian order, the array, and the texts that its values point into.
  /// Nothing if they are not that.
  static std::optional<Charsmap> create(std::string_view bytes);

  /// What stands in for `chunk`: that of its shortest beginning which has a replacement, as in Hugging Face `tokenizers`. Nothing: none has.
  std::optional<std::string_view> replacement(std::string_view chunk) const noexcept;

 private:
  Charsmap() = default;

  std::vector<std::uint32_t> units_;
  std::string texts_;  // Each ends with a NUL.
};

}  // namespace sosie::text
