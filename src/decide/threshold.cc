#include "decide/threshold.h"

#include <algorithm>
#include <string>

#include "base/number.h"

namespace sosie::decide {
namespace {

// float32 dot products of unit vectors are off by at most a few 1e-7 at the dimensions in use.
constexpr double kRounding = 1e-6;

}  // namespace

Result<void> check_threshold(Similarity threshold) {
  if (threshold.value >= 0 && threshold.value <= 1) return {};
  return Error{ErrorCode::invalid_argument,
               "similarity threshold " + base::to_text(threshold.value) + " is outside [0, 1]: 1 means only the same text"};
}

Similarity reported(Similarity raw, bool same_text) noexcept {
  if (same_text) return {1};
  return {std::clamp(raw.value, -1.0, kNearlySame.value)};
}

bool accepts(Similarity reported, Similarity threshold) noexcept { return reported >= threshold; }

Similarity search_floor(Similarity threshold) noexcept { return {std::min(threshold.value, 1 - kRounding)}; }

CosineDistance search_radius(Similarity threshold) noexcept { return {std::max(1 - threshold.value, kRounding)}; }

bool accepts(CosineDistance distance, bool same_text, Similarity threshold) noexcept {
  if (same_text) return true;
  if (threshold.value >= 1) return false;
  return static_cast<float>(distance.value) <= static_cast<float>(1 - threshold.value);
}

Similarity threshold_for_part(Similarity threshold, double part) noexcept {
  return to_similarity({to_distance(threshold).value * std::clamp(part, 0.0, 1.0)});
}

}  // namespace sosie::decide
