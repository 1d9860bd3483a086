// byte_matrix.h: matrices of 8-bit integers whose products are exact in every instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

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

  /// One whose `block()` was kept: memory of block_bytes(depth, columns) bytes from a cache line's start.
  ByteMatrix(std::shared_ptr<const std::byte> block, std::size_t depth, std::size_t columns) noexcept
      : depth_(depth), columns_(columns), block_(std::move(block)) {}

  std::size_t depth() const noexcept { return depth_; }
  std::size_t columns() const noexcept { return columns_; }
  ByteColumns view() const noexcept;

  /// w[k][n].
  std::int8_t at(std::size_t depth, std::size_t column) const noexcept { return view().bytes[place(depth, column)]; }

  /// All that it consists of, in whole cache lines: the bytes in the layout of `ByteColumns`, then the scales, sums and biases of
  /// padded_columns(columns).
  std::span<const std::byte> block() const noexcept { return {block_.get(), block_bytes(depth_, columns_)}; }
  static constexpr std::size_t block_bytes(std::size_t depth, std::size_t columns) noexcept {
    return padded_columns(columns) * (padded_depth(depth) + 3 * sizeof(float));
  }

 private:
  std::size_t place(std::size_t depth, std::size_t column) const noexcept;

  std::size_t depth_, columns_;
  std::shared_ptr<const std::byte> block_;
};

}  // namespace sosie::embed
