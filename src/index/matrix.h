// matrix.h: rows of floats that can grow without moving.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace sosie::index {

/// Row-major floats in blocks of about 2 MiB, each block contiguous and aligned so that the system can back it with one
/// huge page. Rows are 64-byte aligned and padded with zeros. Growing copies at most one block, so that adding a row to a
/// large matrix stalls nobody.
///
/// Thread-safety: const methods may run concurrently with each other only.
class Matrix {
 public:
  /// REQUIRES: dimension > 0.
  explicit Matrix(std::size_t dimension);

  std::size_t rows() const noexcept { return rows_; }
  std::size_t dimension() const noexcept { return dimension_; }
  std::size_t stride() const noexcept { return stride_; }  ///< Floats from one row to the next within a block.
  std::size_t rows_per_block() const noexcept { return rows_per_block_; }
  std::size_t memory_bytes() const noexcept;

  /// The first row of block b; rows b * rows_per_block() and following stand there.
  const float* block(std::size_t b) const noexcept { return blocks_[b].get(); }
  const float* row(std::size_t r) const noexcept { return blocks_[r / rows_per_block_].get() + r % rows_per_block_ * stride_; }

  /// REQUIRES: values.size() == dimension(); r < rows().
  void append(std::span<const float> values);
  void assign(std::size_t r, std::span<const float> values);
  void copy_row(std::size_t from, std::size_t to);
  void pop();

 private:
  struct Release {
    std::size_t bytes = 0;
    void operator()(float* block) const noexcept;
  };
  using Block = std::unique_ptr<float, Release>;
  static Block allocate(std::size_t bytes);

  float* mutable_row(std::size_t r) noexcept { return const_cast<float*>(row(r)); }

  std::size_t dimension_, stride_, rows_per_block_;
  std::size_t rows_ = 0;
  std::vector<Block> blocks_;
};

}  // namespace sosie::index
