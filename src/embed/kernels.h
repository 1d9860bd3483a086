// kernels.h: the arithmetic around the matrix products, one set for each instruction set, chosen once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/isa.h"

namespace sosie::embed {

using base::Isa;

/// How a row of floats was quantised: x = low + scale * q.
struct RowScale {
  float scale = 0, low = 0;
};

/// What a layer normalisation needs.
struct Norm {
  const float* gamma = nullptr;
  const float* beta = nullptr;
  float epsilon = 0;
};

/// The left side of a product of bytes: rows of unsigned bytes. Bytes of a row beyond the depth, up to padded_depth(depth), are read but
/// do not count.
struct ByteRows {
  const std::uint8_t* bytes = nullptr;
  const RowScale* scales = nullptr;
  std::size_t rows = 0, stride = 0;
};

/// A right side of it, quantised by column: W[k][n] = scale[n] * w[k][n]; sum[n] = scale[n] times the sum of w[.][n].
///
/// `bytes`, from a cache line's start: blocks of kBlockColumns columns, in each groups of kGroup depths, in each column after column,
/// in each the depths of the group. Zeros fill up depths to padded_depth and columns to padded_columns.
struct ByteColumns {
  const std::int8_t* bytes = nullptr;
  const float *scale = nullptr, *sum = nullptr, *bias = nullptr;  // [padded_columns(columns)]
  std::size_t depth = 0;    // Padded.
  std::size_t columns = 0;  // Not padded.
};

inline constexpr std::size_t kBlockColumns = 16;
inline constexpr std::size_t kGroup = 4;
inline constexpr std::size_t kDepthStep = 16;

constexpr std::size_t padded_columns(std::size_t columns) noexcept { return (columns + kBlockColumns - 1) / kBlockColumns * kBlockColumns; }
constexpr std::size_t padded_depth(std::size_t depth) noexcept { return (depth + kDepthStep - 1) / kDepthStep * kDepthStep; }

/// Queries, keys and values of all heads, row after row: [rows][3 * heads * width].
struct AttentionShape {
  std::size_t rows = 0, heads = 0, width = 0;
};

/// Works on rows of n floats; a row's result is the same whatever rows stand beside it, and the same bits in every set (within a
/// `DefaultFloatMode`). Pointers need the alignment of their element only; arrays may not overlap unless said.
struct Kernels {
  Isa isa;

  /// out = norm(a + b). `out` may be `a`.
  void (*add_norm)(const float* a, const float* b, const Norm& norm, std::size_t n, float* out);

  /// x += bias.
  void (*add_bias)(float* x, const float* bias, std::size_t n);

  /// 8 bits, the row's smallest value at 0 and its largest at 255.
  RowScale (*quantize)(const float* x, std::size_t n, std::uint8_t* out);

  /// out[rows][columns] = left * right + bias, as floats: with the exact sum acc of the bytes' products
  /// acc * (row scale * column scale) + (row low * column sum + bias). REQUIRES: right keeps the bound of `ByteMatrix`.
  void (*multiply_bytes)(const ByteRows& left, const ByteColumns& right, float* out);

  /// Rounds to the nearest bfloat16, ties to even.
  void (*to_bf16)(const float* x, std::size_t n, std::uint16_t* out);

  void (*gelu)(float* x, std::size_t n);       ///< x * (1 + erf(x / sqrt 2)) / 2, within 1e-6.
  void (*gelu_tanh)(float* x, std::size_t n);  ///< Its tanh approximation.
  void (*relu)(float* x, std::size_t n);

  /// out[rows][heads * width] = softmax(Q K^T / sqrt(width)) V, head by head.
  /// `scratch` has attention_scratch(shape) floats.
  void (*attention)(const float* qkv, const AttentionShape& shape, float* scratch, float* out);
};

/// Floats that `Kernels::attention` needs to work in.
std::size_t attention_scratch(const AttentionShape& shape) noexcept;

/// The set this process uses: the one SOSIE_FORCE_ISA names if this CPU can run it, else the best this CPU can run.
/// Thread-safety: safe. Chosen at the first call.
const Kernels& kernels() noexcept;

/// The set of one instruction set; null where this CPU cannot run it.
const Kernels* kernels_for(Isa isa) noexcept;

}  // namespace sosie::embed
