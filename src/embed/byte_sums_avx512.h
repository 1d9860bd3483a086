// byte_sums_avx512.h: sixteen columns' sums of a product of bytes, and the floats made of them.
#pragma once

#include <immintrin.h>

#include <cstring>

#include "embed/kernels.h"
#include "embed/target_region.h"

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX512)

namespace sosie::embed {
namespace {

inline constexpr std::size_t kColumns = 16;

using Sums = __m512i;

inline Sums first_sums(const std::int8_t*, std::size_t) { return _mm512_setzero_si512(); }

inline void finish(Sums sums, RowScale row, const ByteColumns& columns, std::size_t first, float* out) {
  const __m512 scale = _mm512_mul_ps(_mm512_set1_ps(row.scale), _mm512_loadu_ps(columns.scale + first));
  const __m512 rest = _mm512_fmadd_ps(_mm512_set1_ps(row.low), _mm512_loadu_ps(columns.sum + first), _mm512_loadu_ps(columns.bias + first));
  _mm512_storeu_ps(out, _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums), scale, rest));
}

// Four bytes of a row, for every column.
inline __m512i spread(const std::uint8_t* bytes) {
  std::int32_t four;
  std::memcpy(&four, bytes, sizeof four);
  return _mm512_set1_epi32(four);
}

inline __m512i weights_at(const std::int8_t* bytes) { return _mm512_load_si512(bytes); }

}  // namespace
}  // namespace sosie::embed

SOSIE_TARGET_END
