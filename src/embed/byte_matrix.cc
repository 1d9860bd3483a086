#include "embed/byte_matrix.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>

namespace sosie::embed {
namespace {

constexpr int kLargest = 127;
constexpr int kSameSignBound = 128;  // Of weights of one sign that meet in a 16-bit sum.

// The eight depths of 16 that meet in one 16-bit sum: `half` is 0 or 1.
constexpr std::size_t meeting(std::size_t i, std::size_t half) { return i / 2 * kGroup + 2 * half + i % 2; }

// The largest step's inverse at which a column's weights, before they are rounded, keep within 127 and within the bound.
float inverse_step(std::span<const float> column) {
  float largest = 0, most = 0;
  for (std::size_t d = 0; d < column.size(); d += kDepthStep) {
    for (const std::size_t half : {0, 1}) {
      float positive = 0, negative = 0;
      for (std::size_t i = 0; i < kDepthStep / 2; ++i) {
        const std::size_t at = d + meeting(i, half);
        const float w = at < column.size() ? column[at] : 0.0F;
        positive += std::max(w, 0.0F);
        negative -= std::min(w, 0.0F);
        largest = std::max(largest, std::abs(w));
      }
      most = std::max({most, positive, negative});
    }
  }
  if (!(largest > 1e-30F)) return 0;
  return std::min(kLargest / largest, kSameSignBound / most);
}

// Where rounding took a sum beyond the bound, weights of the given sign give way, one step each, where that costs least.
void keep_bound(const std::array<float, kDepthStep>& exact, std::size_t half, int sign, std::array<int, kDepthStep>& q) {
  int total = 0;
  for (std::size_t i = 0; i < kDepthStep / 2; ++i) total += std::max(0, sign * q[meeting(i, half)]);
  for (; total > kSameSignBound; --total) {
    std::size_t best = kDepthStep;
    for (std::size_t i = 0; i < kDepthStep / 2; ++i) {
      const std::size_t at = meeting(i, half);
      if (sign * q[at] <= 0) continue;
      const auto excess = [&](std::size_t k) { return static_cast<float>(sign) * (static_cast<float>(q[k]) - exact[k]); };
      if (best == kDepthStep || excess(at) > excess(best)) best = at;
    }
    q[best] -= sign;
  }
}

}  // namespace

ByteMatrix::ByteMatrix(std::span<const float> weight, std::span<const float> bias, std::size_t depth, std::size_t columns)
    : depth_(depth), columns_(columns) {
  static_assert(kBlockColumns * sizeof(float) % 64 == 0);
  const std::size_t size = block_bytes(depth, columns), padded = padded_columns(columns);
  auto* memory = static_cast<std::byte*>(std::aligned_alloc(64, size));
  if (memory == nullptr) throw std::bad_alloc();
  std::memset(memory, 0, size);
  block_.reset(memory, [](std::byte* p) { std::free(p); });
  auto* bytes = reinterpret_cast<std::int8_t*>(memory);
  auto* scales = reinterpret_cast<float*>(memory + padded * padded_depth(depth));
  float *sums = scales + padded, *biases = sums + padded;
  std::copy(bias.begin(), bias.end(), biases);
  for (std::size_t column = 0; column < columns; ++column) {
    const std::span<const float> from = weight.subspan(column * depth, depth);
    const float inverse = inverse_step(from);
    std::int64_t sum = 0;
    for (std::size_t d = 0; d < depth; d += kDepthStep) {
      std::array<float, kDepthStep> exact{};
      std::array<int, kDepthStep> q{};
      for (std::size_t i = 0; i < kDepthStep && d + i < depth; ++i) {
        exact[i] = from[d + i] * inverse;
        q[i] = std::clamp(static_cast<int>(std::nearbyint(exact[i])), -kLargest, kLargest);
      }
      for (const std::size_t half : {0, 1}) {
        for (const int sign : {1, -1}) keep_bound(exact, half, sign, q);
      }
      for (std::size_t i = 0; i < kDepthStep; ++i) {
        bytes[place(d + i, column)] = static_cast<std::int8_t>(q[i]);
        sum += q[i];
      }
    }
    scales[column] = inverse > 0 ? 1.0F / inverse : 0.0F;
    sums[column] = scales[column] * static_cast<float>(sum);
  }
}

ByteColumns ByteMatrix::view() const noexcept {
  const std::size_t padded = padded_columns(columns_);
  const auto* floats = reinterpret_cast<const float*>(block_.get() + padded * padded_depth(depth_));
  return {reinterpret_cast<const std::int8_t*>(block_.get()), floats, floats + padded, floats + 2 * padded, padded_depth(depth_), columns_};
}

std::size_t ByteMatrix::place(std::size_t depth, std::size_t column) const noexcept {
  const std::size_t block = column / kBlockColumns * kBlockColumns * padded_depth(depth_);
  return block + depth / kGroup * kBlockColumns * kGroup + column % kBlockColumns * kGroup + depth % kGroup;
}

}  // namespace sosie::embed
