// utf8.h: UTF-8, and what two equal texts are.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace sosie::text {

/// Stands for bytes that are not UTF-8.
inline constexpr char32_t kReplacement = 0xFFFD;

/// A code point and the bytes it took (1 to 4).
struct Decoded {
  char32_t point = 0;
  std::size_t bytes = 0;
};

/// Reads the code point at `at`; bytes that are not UTF-8 are read as U+FFFD, one for each maximal part of a sequence
/// (as Python's errors="replace" does). REQUIRES: at < text.size().
Decoded decode_at(std::string_view text, std::size_t at) noexcept;

/// Whether `text` is UTF-8: no overlong forms, no surrogates, nothing beyond U+10FFFF.
bool validate_utf8(std::string_view text) noexcept;

/// Appends the UTF-8 form of a scalar value.
void append_utf8(char32_t point, std::string& out);

/// The longest start of `text` of at most `bytes` bytes that ends between two code points.
std::string_view prefix_of(std::string_view text, std::size_t bytes) noexcept;

/// Full Unicode case folding ("Straße" and "STRASSE" fold alike), no normalisation. Invalid bytes become U+FFFD.
std::string case_fold(std::string_view text);

/// Whether nothing of the text can be seen or matched: only white space, control and format characters, variation
/// selectors, or nothing.
bool is_blank(std::string_view text) noexcept;

}  // namespace sosie::text
