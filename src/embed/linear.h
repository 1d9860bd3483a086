// linear.h: y = x W + b in one of the arithmetics, from a layer's floats.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "embed/byte_matrix.h"
#include "embed/kernels.h"
#include "embed/matmul.h"
#include "sosie/result.h"

namespace sosie::embed {

/// x: rows of one width, in the elements that an arithmetic multiplies. Thread-safety: one thread at a time.
class LeftRows {
 public:
  LeftRows(Arithmetic arithmetic, const Kernels& kernels) : arithmetic_(arithmetic), kernels_(kernels) {}

  /// Makes room for rows of up to `width` floats.
  void reserve(std::size_t rows, std::size_t width);

  /// Row `row` of rows of n floats. A product takes rows 0 to its last, all set with one n.
  void set(std::size_t row, const float* x, std::size_t n);

 private:
  friend class Linear;
  std::size_t stride(std::size_t n) const noexcept;  // Bytes.

  const Arithmetic arithmetic_;
  const Kernels& kernels_;
  std::vector<std::uint8_t> elements_;
  std::vector<RowScale> scales_;  // int8 only.
};

/// A linear layer's weights, packed. Immutable.
class Linear {
 public:
  /// `weight` is [columns][depth], `bias` [columns]. In int8 nothing else is needed; in another arithmetic `shape`, of that depth and
  /// those columns, which must outlive this. Errors: those of `PackedMatrix::pack`.
  static Result<Linear> create(const MatmulShape* shape, std::span<const float> weight, std::vector<float> bias, const Kernels& kernels);

  /// One whose weights are packed already.
  Linear(ByteMatrix bytes, const Kernels& kernels) : kernels_(&kernels), bytes_(std::move(bytes)) {}

  /// Of int8 only.
  const std::optional<ByteMatrix>& bytes() const noexcept { return bytes_; }

  /// out[rows][columns] = left W + b. REQUIRES: `left` is of this layer's arithmetic. Errors: those of `MatmulRunner::run`.
  Result<void> apply(const LeftRows& left, std::size_t rows, MatmulRunner& runner, float* out) const;

 private:
  struct Floats {
    const MatmulShape* shape;
    PackedMatrix matrix;
    std::vector<float> bias;
  };

  Linear(const Kernels& kernels, Floats floats) : kernels_(&kernels), floats_(std::move(floats)) {}

  const Kernels* kernels_;
  std::optional<Floats> floats_;  // One of the two.
  std::optional<ByteMatrix> bytes_;
};

}  // namespace sosie::embed
