// python_literal.h: the values that Python's ast.literal_eval reads.
#pragma once

#include <optional>
#include <string_view>

#include "sosie/result.h"
#include "text/python_value.h"

namespace sosie::text {

/// What ast.literal_eval of CPython 3.11 makes of a text. REQUIRES: `source` is UTF-8. Unset: ValueError or
/// SyntaxError. Errors: data_corruption, where CPython raises something else (an unhashable key; an integer too large
/// to add to a complex number), and for an integer written in base 2, 8 or 16 that has more than 4300 decimal digits,
/// which CPython reads but cannot print. Where such a text holds an expression that is no literal as well, the text is
/// unset.
Result<std::optional<PythonValue>> read_python_literal(std::string_view source);

}  // namespace sosie::text
