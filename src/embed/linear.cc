#include "embed/linear.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace sosie::embed {

std::size_t LeftRows::stride(std::size_t n) const noexcept {
  switch (arithmetic_) {
    case Arithmetic::f32: return n * sizeof(float);
    case Arithmetic::bf16: return n * sizeof(std::uint16_t);
    case Arithmetic::int8: break;
  }
  return padded_depth(n);
}

void LeftRows::reserve(std::size_t rows, std::size_t width) {
  elements_.resize(std::max(elements_.size(), rows * stride(width)));
  scales_.resize(std::max(scales_.size(), rows));
}

void LeftRows::set(std::size_t row, const float* x, std::size_t n) {
  std::uint8_t* to = elements_.data() + row * stride(n);
  switch (arithmetic_) {
    case Arithmetic::f32: std::memcpy(to, x, n * sizeof(float)); break;
    case Arithmetic::bf16: kernels_.to_bf16(x, n, reinterpret_cast<std::uint16_t*>(to)); break;
    case Arithmetic::int8: scales_[row] = kernels_.quantize(x, n, to); break;
  }
}

Result<Linear> Linear::create(const MatmulShape* shape, std::span<const float> weight, std::vector<float> bias, const Kernels& kernels) {
  if (shape == nullptr) return Linear(ByteMatrix(weight, bias, weight.size() / bias.size(), bias.size()), kernels);
  std::vector<std::uint16_t> halves;
  const void* elements = weight.data();
  if (shape->arithmetic() == Arithmetic::bf16) {
    halves.resize(weight.size());
    kernels.to_bf16(weight.data(), weight.size(), halves.data());
    elements = halves.data();
  }
  auto matrix = PackedMatrix::pack(*shape, elements);
  if (!matrix) return matrix.error();
  return Linear(kernels, {shape, std::move(*matrix), std::move(bias)});
}

Result<void> Linear::apply(const LeftRows& left, std::size_t rows, MatmulRunner& runner, float* out) const {
  if (bytes_) {
    const ByteColumns columns = bytes_->view();
    kernels_->multiply_bytes({left.elements_.data(), left.scales_.data(), rows, columns.depth}, columns, out);
    return {};
  }
  const std::size_t n = floats_->shape->columns();
  if (auto done = runner.run(*floats_->shape, floats_->matrix, rows, left.elements_.data(), out); !done) return done;
  for (std::size_t row = 0; row < rows; ++row) kernels_->add_bias(out + row * n, floats_->bias.data(), n);
  return {};
}

}  // namespace sosie::embed
