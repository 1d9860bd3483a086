// finite.h: what every store wants of a vector before it keeps or compares it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>

#include "sosie/result.h"
#include "store/store.h"

namespace sosie::store {

/// Whether no float is infinite or not a number.
inline bool all_finite(std::span<const float> vector) noexcept {
  return std::all_of(vector.begin(), vector.end(), [](float value) { return std::isfinite(value); });
}

inline Error other_dimension(std::size_t dimension, std::uint64_t beside) {
  return {ErrorCode::invalid_argument,
          "the vector has " + std::to_string(dimension) + " dimensions, the others beside it have " + std::to_string(beside)};
}

/// Errors: invalid_argument.
inline Result<void> check_moves(std::span<const Move> moves) {
  for (const Move& move : moves) {
    if (!move.vector.empty() && move.vector.size() == moves.front().vector.size() && all_finite(move.vector)) continue;
    return Error{ErrorCode::invalid_argument, "vectors that entries are moved with must have one length, and their floats must be finite"};
  }
  return {};
}

}  // namespace sosie::store
