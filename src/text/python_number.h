// python_number.h: the numbers of Python source text.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

#include "text/python_value.h"

namespace sosie::text {

struct NumberLiteral {
  PythonValue value;      ///< integer, floating, or complex without a real part.
  std::size_t bytes = 0;  ///< Of the text.
  bool too_long = false;  ///< A whole number in base 2, 8 or 16 beyond `kMaxIntegerDigits`: `value` is none.
};

/// The number that `text` begins with. Unset: there is none, or a SyntaxError. REQUIRES: `text` begins with a digit or
/// a dot.
std::optional<NumberLiteral> read_number_literal(std::string_view text);

}  // namespace sosie::text
