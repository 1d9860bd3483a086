// byte_sums_avx2.h: eight columns' sums of a product of bytes, and the floats made of them.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "embed/kernels.h"
#include "embed/target_region.h"

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX2)

namespace sosie::embed {
namespace {

inline constexpr std::size_t kColumns = 8;

using Sums = __m256i;

inline Sums first_sums(const std::int8_t*, std::size_t) { return _mm256_setzero_si256(); }

inline void finish(Sums sums, RowScale row, const ByteColumns& columns, std::size_t first, float* out) {
  const __m256 scale = _mm256_mul_ps(_mm256_set1_ps(row.scale), _mm256_loadu_ps(columns.scale + first));
  const __m256 rest = _mm256_fmadd_ps(_mm256_set1_ps(row.low), _mm256_loadu_ps(columns.sum + first), _mm256_loadu_ps(columns.bias + first));
  _mm256_storeu_ps(out, _mm256_fmadd_ps(_mm256_cvtepi32_ps(sums), scale, rest));
}

// Four bytes of a row, for every column.
inline __m256i spread(const std::uint8_t* bytes) {
  std::int32_t four;
  std::memcpy(&four, bytes, sizeof four);
  return _mm256_set1_epi32(four);
}

inline __m256i weights_at(const std::int8_t* bytes) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(bytes)); }

}  // namespace
}  // namespace sosie::embed

SOSIE_TARGET_END
