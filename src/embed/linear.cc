#include "embed/linear.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace sosie::embed {

Result<Linear> Linear::create(Arithmetic arithmetic, const MatmulShape& shape, std::span<const float> weight, std::vector<float> bias,
                              const Kernels& kernels) {
  const std::size_t depth = shape.depth(), columns = shape.columns();
  std::vector<float> scales, sums;
  std::vector<std::uint16_t> halves;
  std::vector<std::int8_t> bytes;
  const void* elements = weight.data();
  if (arithmetic == Arithmetic::bf16) {
    halves.resize(weight.size());
    kernels.to_bf16(weight.data(), weight.size(), halves.data());
    elements = halves.data();
  } else if (arithmetic == Arithmetic::int8) {
    bytes.resize(weight.size());
    scales.resize(columns);
    sums.resize(columns);
    for (std::size_t column = 0; column < columns; ++column) {
      const std::span<const float> row = weight.subspan(column * depth, depth);
      float largest = 0;
      for (const float w : row) largest = std::max(largest, std::abs(w));
      const float inverse = largest > 0 ? 127.0F / largest : 0.0F;
      std::int64_t sum = 0;
      for (std::size_t i = 0; i < depth; ++i) {
        const auto q = static_cast<std::int8_t>(std::clamp(std::nearbyint(row[i] * inverse), -127.0F, 127.0F));
        bytes[column * depth + i] = q;
        sum += q;
      }
      scales[column] = largest / 127.0F;
      sums[column] = scales[column] * static_cast<float>(sum);
    }
    elements = bytes.data();
  }
  auto matrix = PackedMatrix::pack(shape, elements);
  if (!matrix) return matrix.error();
  return Linear(shape, std::move(*matrix), std::move(bias), std::move(scales), std::move(sums));
}

}  // namespace sosie::embed
