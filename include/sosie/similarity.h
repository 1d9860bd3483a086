// similarity.h: cosine similarity and cosine distance as two types, and the one place where they meet.
#pragma once

#include <compare>

namespace sosie {

/// Cosine distance, 0 (same direction) to 2 (opposite).
struct CosineDistance {
  double value = 0;
  friend auto operator<=>(CosineDistance, CosineDistance) = default;
};

/// Cosine similarity, -1 (opposite) to 1. sosie reports exactly 1 only for the same text.
struct Similarity {
  double value = 0;
  friend auto operator<=>(Similarity, Similarity) = default;
};

/// distance = 1 - similarity, in double, without rounding.
constexpr CosineDistance to_distance(Similarity s) noexcept { return {1.0 - s.value}; }
constexpr Similarity to_similarity(CosineDistance d) noexcept { return {1.0 - d.value}; }

}  // namespace sosie
