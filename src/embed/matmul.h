// matmul.h: floating-point matrix products with constant right-hand sides, by oneDNN, each on the calling thread alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sosie/result.h"

namespace sosie::embed {

/// Elements of left side and right side.
enum class Arithmetic {
  f32,   ///< float, float.
  bf16,  ///< bfloat16, bfloat16.
  int8,  ///< uint8, int8: not by oneDNN, but by `Kernels::multiply_bytes`.
};

/// Products of one size: [rows][depth] by [depth][columns] for every number of rows up to a bound.
///
/// The right sides all have one layout, whatever the rows, so each is packed once. What oneDNN prepares for a number of rows
/// (well under a millisecond) is made when it first occurs, and kept.
class MatmulShape {
 public:
  /// REQUIRES: f32 or bf16. Errors: unsupported (this CPU or oneDNN cannot).
  static Result<std::unique_ptr<MatmulShape>> create(Arithmetic arithmetic, std::size_t depth, std::size_t columns, std::size_t max_rows);
  ~MatmulShape();
  MatmulShape(const MatmulShape&) = delete;
  MatmulShape& operator=(const MatmulShape&) = delete;

  Arithmetic arithmetic() const noexcept { return arithmetic_; }
  std::size_t depth() const noexcept { return depth_; }
  std::size_t columns() const noexcept { return columns_; }

 private:
  friend class PackedMatrix;
  friend class MatmulRunner;
  struct Impl;
  MatmulShape(Arithmetic arithmetic, std::size_t depth, std::size_t columns, std::unique_ptr<Impl> impl);
  Arithmetic arithmetic_;
  std::size_t depth_, columns_;
  std::unique_ptr<Impl> impl_;
};

/// A right side in the shape's own layout. Immutable.
class PackedMatrix {
 public:
  /// `elements` is [columns][depth] (a linear layer's weight as models store it), in the arithmetic's element type.
  /// Errors: internal (oneDNN refuses).
  static Result<PackedMatrix> pack(const MatmulShape& shape, const void* elements);
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;
  ~PackedMatrix();

 private:
  friend class MatmulRunner;
  struct Impl;
  explicit PackedMatrix(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One thread's way to run products. Thread-safety: one thread at a time.
class MatmulRunner {
 public:
  MatmulRunner();
  ~MatmulRunner();
  MatmulRunner(const MatmulRunner&) = delete;
  MatmulRunner& operator=(const MatmulRunner&) = delete;

  /// product[rows][columns] = left[rows][depth] by `right`. REQUIRES: `right` was packed for `shape`; rows in 1..max_rows.
  /// Errors: internal (oneDNN refuses), resource_exhausted (memory).
  Result<void> run(const MatmulShape& shape, const PackedMatrix& right, std::size_t rows, const void* left, float* product);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// While it lives, oneDNN computes on this thread alone and starts no thread. Cheap; restores what was set before.
class SingleThreaded {
 public:
  SingleThreaded() noexcept;
  ~SingleThreaded();
  SingleThreaded(const SingleThreaded&) = delete;
  SingleThreaded& operator=(const SingleThreaded&) = delete;

 private:
  int before_ = 0;
};

}  // namespace sosie::embed
