// python_json.h: JSON as Python's json.loads takes it.
#pragma once

#include <optional>
#include <string_view>

#include "sosie/result.h"
#include "text/python_value.h"

namespace sosie::text {

/// The most digits of an integer that CPython converts from or to decimal text.
inline constexpr std::size_t kMaxIntegerDigits = 4300;

/// The arrays and objects inside one another that CPython 3.11 reads with nothing else on its stack.
inline constexpr int kMaxJsonDepth = 993;

/// Reads NaN and Infinity too, integers of any size, lone surrogate escapes; the last of equal keys wins. REQUIRES:
/// `text` is UTF-8. Unset: a JSONDecodeError. Errors: data_corruption, where CPython raises something else (nesting
/// beyond `kMaxJsonDepth`, an integer beyond `kMaxIntegerDigits`).
Result<std::optional<PythonValue>> read_python_json(std::string_view text);

/// The double that Python makes of a decimal number: beyond the range it is infinite or zero.
double to_double(std::string_view decimal) noexcept;

}  // namespace sosie::text
