#include <cmath>

#include "embed/kernel_sets.h"

namespace sosie::embed {

void multiply_bytes_scalar(const ByteRows& left, const ByteColumns& right, float* out) {
  for (std::size_t row = 0; row < left.rows; ++row) {
    const std::uint8_t* bytes = left.bytes + row * left.stride;
    const RowScale scale = left.scales[row];
    for (std::size_t block = 0; block < right.columns; block += kBlockColumns) {
      std::int32_t sums[kBlockColumns] = {};
      const std::int8_t* weights = right.bytes + block * right.depth;
      for (std::size_t d = 0; d < right.depth; d += kGroup, weights += kBlockColumns * kGroup) {
        for (std::size_t c = 0; c < kBlockColumns; ++c) {
          for (std::size_t i = 0; i < kGroup; ++i) sums[c] += bytes[d + i] * weights[c * kGroup + i];
        }
      }
      for (std::size_t c = 0; c < kBlockColumns && block + c < right.columns; ++c) {
        const std::size_t n = block + c;
        const float rest = std::fma(scale.low, right.sum[n], right.bias[n]);
        out[row * right.columns + n] = std::fma(static_cast<float>(sums[c]), scale.scale * right.scale[n], rest);
      }
    }
  }
}

}  // namespace sosie::embed
