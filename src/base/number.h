// number.h: fractions as text, the same under every locale: on a wire 0.31 is never "0,31".
//
// Thread-safety: pure functions.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

namespace sosie::base {

/// The whole of `text` as a number. Unset: it is none, or beyond a double.
inline std::optional<double> read_double(std::string_view text) {
  double number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || failure != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// The shortest digits that read back.
inline std::string to_text(double number) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, number).ptr};
}

/// With so many digits behind the point. REQUIRES: |number| < 1e15, decimals <= 15.
inline std::string to_text(double number, int decimals) {
  char digits[40];
  return {digits, std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed, decimals).ptr};
}

}  // namespace sosie::base
