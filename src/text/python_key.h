// python_key.h: when two keys of a Python dict or set are the same key.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/python_value.h"

namespace sosie::text {

/// A text that is equal for values that Python holds equal (1, 1.0 and True are). Unset: Python cannot hash the value
/// (a list, set or dict, or a tuple with one inside).
std::optional<std::string> key_of(const PythonValue& value);

/// Lets the last of equal keys win, at the place of the first. `items` holds `stride` values for each of `keys`: 2 for
/// a dict, 1 for a set. Costs n log n in the number of keys.
void settle_keys(const std::vector<std::string_view>& keys, std::size_t stride, std::vector<PythonValue>& items);

}  // namespace sosie::text
