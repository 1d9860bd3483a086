// graphemes.h: where a text falls into graphemes, as Hugging Face `tokenizers` sees it (generate_graphemes.py says why not as a library does).
//
// Thread-safety: `GraphemeBreaker` keeps the state of one text.
#pragma once

#include <cstdint>

namespace sosie::text {

/// Reads a text, a code point at a time.
class GraphemeBreaker {
 public:
  /// Whether a grapheme begins with `point`: extended grapheme clusters of Unicode. True for the first.
  bool begins(char32_t point) noexcept;

 private:
  std::uint8_t before_ = 0;           // Class of the last code point; 0: none, or nothing special.
  bool first_ = true;
  bool after_pictograph_ = false;     // A pictograph and what extends it have been read.
  bool joins_pictograph_ = false;     // The same, and a joiner.
  bool after_consonant_ = false;      // A consonant and what may stand between two have been read.
  bool joins_consonant_ = false;      // The same, and something that links them.
};

}  // namespace sosie::text
