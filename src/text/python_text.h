// python_text.h: Python's str in C++: UTF-8 in which a lone surrogate is three bytes, as Python's "surrogatepass"
// writes it.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/ascii.h"
#include "text/utf8.h"

namespace sosie::text {

/// Whether a byte can stand in a name (an ASCII letter, a digit, '_', or part of any other character).
constexpr bool is_name_byte(char c) noexcept {
  return base::is_digit(c) || base::is_letter(c) || c == '_' || static_cast<unsigned char>(c) >= 0x80;
}

constexpr bool is_surrogate(char32_t point) noexcept { return point >= 0xD800 && point <= 0xDFFF; }

/// As `decode_at`, but three bytes that stand for a surrogate are read as that surrogate.
Decoded decode_python_at(std::string_view text, std::size_t at) noexcept;

/// `str.strip()`: the part without white space, as Python sees it, at either end.
std::string_view strip_python(std::string_view text) noexcept;

/// The text without the bytes that are not UTF-8 (`bytes.decode(errors="ignore")`).
std::string without_invalid_utf8(std::string_view text);

/// The text as UTF-8: lone surrogates and other bytes that are not UTF-8 become U+FFFD.
std::string with_replacements(std::string text);

}  // namespace sosie::text
