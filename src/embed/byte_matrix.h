// byte_matrix.h: matrices of 8-bit integers whose products are exact in every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "embed/kernels.h"

namespace sosie::embed {

/// The right side of a product, W[depth][columns], quantised by column: W[k][n] = scale[n] * w[k][n], w within -127 to 127.
///
/// Where a CPU multiplies bytes into 16 bits only, four products may be added there before they are widened if their sum fits whatever
/// the left side holds. So over 16 depths from a multiple of 16, of the eight weights of a column that meet in one 16-bit sum
/// (depths 0, 1, 4, 5, 8, 9, 12, 13, and the other eight) the positive add up to at most 128, and the negative to at least -128:
/// 255 * 128 < 2^15. The scale is the finest at which a column's weights keep the bound before they are rounded: to clip the few that would
/// break it at a finer one costs more than rounding all of them a little less finely.
///
/// Immutable, so it may be used by any number of threads.
class ByteMatrix {
 public:
  /// `weight` is [columns][depth] (a linear layer's weight as models store it), `bias` [columns].
  ByteMatrix(std::span<const float> weight, std::span<const float> bias, std::size_t depth, std::size_t columns);

  ByteColumns view() const noexcept { return {bytes_.get(), scales_.data(), sums_.data(), biases_.data(), padded_depth(depth_), columns_}; }

  /// w[k][n].
  std::int8_t at(std::size_t depth, std::size_t column) const noexcept { return bytes_[place(depth, column)]; }

 private:
  struct Free {
    void operator()(std::int8_t* p) const noexcept { std::free(p); }
  };
  std::size_t place(std::size_t depth, std::size_t column) const noexcept;

  std::size_t depth_, columns_;
  std::unique_ptr<std::int8_t[], Free> bytes_;       // In the layout of `ByteColumns`, from a cache line's start.
  std::vector<float> scales_, sums_, biases_;        // Of padded_columns(columns).
};

}  // namespace sosie::embed
