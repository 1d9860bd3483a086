// finite.h: what every store wants of a vector before it keeps or compares it.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace sosie::store {

/// Whether no float is infinite or not a number.
inline bool all_finite(std::span<const float> vector) noexcept {
  return std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); });
}

}  // namespace sosie::store
