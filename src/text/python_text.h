// python_text.h: Python's str in C++: UTF-8 in which a lone surrogate is three bytes, as Python's "surrogatepass"
// writes it.
//
// Thread-safety: pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "text/utf8.h"

namespace sosie::text {

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
