// linear.h: y = x W + b in one of the arithmetics, from a layer's floats.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "embed/kernels.h"
#include "embed/matmul.h"
#include "sosie/result.h"

namespace sosie::embed {

/// A linear layer's weights, packed. Immutable.
class Linear {
 public:
  /// `weight` is [shape.columns()][shape.depth()], `bias` [shape.columns()].
  static Result<Linear> create(Arithmetic arithmetic, const MatmulShape& shape, std::span<const float> weight, std::vector<float> bias,
                               const Kernels& kernels);

  const MatmulShape& shape() const noexcept { return *shape_; }
  const PackedMatrix& matrix() const noexcept { return matrix_; }
  const float* bias() const noexcept { return bias_.data(); }
  ColumnScales columns() const noexcept { return {scales_.data(), sums_.data(), bias_.data()}; }  ///< int8 only.

 private:
  Linear(const MatmulShape& shape, PackedMatrix matrix, std::vector<float> bias, std::vector<float> scales, std::vector<float> sums)
      : shape_(&shape), matrix_(std::move(matrix)), bias_(std::move(bias)), scales_(std::move(scales)), sums_(std::move(sums)) {}

  const MatmulShape* shape_;
  PackedMatrix matrix_;
  std::vector<float> bias_, scales_, sums_;
};

}  // namespace sosie::embed
