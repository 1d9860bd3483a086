// kernel_sets.h: the sets themselves, for kernels.cc to choose from, and what they are made of.
#pragma once

#include "embed/kernels.h"

namespace sosie::embed {

extern const Kernels kScalarKernels;
#if defined(__x86_64__)
extern const Kernels kAvx2Kernels;
extern const Kernels kAvxVnniKernels;
extern const Kernels kAvx512Kernels;
extern const Kernels kAvx512VnniKernels;
#elif defined(__aarch64__)
extern const Kernels kNeonKernels;
extern const Kernels kNeonDotKernels;
extern const Kernels kNeonI8mmKernels;
#endif

/// `Kernels::multiply_bytes` in each instruction set: products_*.cc.
void multiply_bytes_scalar(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_avx2(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_avxvnni(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_avx512(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_avx512vnni(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_neon(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_neondot(const ByteRows& left, const ByteColumns& right, float* out);
void multiply_bytes_neoni8mm(const ByteRows& left, const ByteColumns& right, float* out);

/// Query rows that attention works on at a time, at most, and floats that a row of scores is padded to.
inline constexpr std::size_t kAttentionRows = 16;
inline constexpr std::size_t kAttentionPad = 16;

constexpr std::size_t padded_rows(std::size_t rows) noexcept { return (rows + kAttentionPad - 1) / kAttentionPad * kAttentionPad; }

}  // namespace sosie::embed
