// lanes_avx512.h: sixteen floats in a register of AVX-512; lanes_scalar.h says what each operation does. Only for inclusion by files
// that set a target region around what they compile.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "embed/target_region.h"

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX512)

namespace sosie::embed {
namespace {

inline constexpr std::size_t kLanes = 16;

inline constexpr int kRowsAtOnce = 8;
inline constexpr int kVectorsAtOnce = 2;

using Lanes = __m512;

inline __mmask16 below(std::size_t n) { return n >= kLanes ? __mmask16{0xFFFF} : static_cast<__mmask16>((1U << n) - 1); }

inline Lanes splat(float x) { return _mm512_set1_ps(x); }
inline Lanes load(const float* p) { return _mm512_loadu_ps(p); }
inline Lanes load_first(const float* p, std::size_t n) { return _mm512_maskz_loadu_ps(below(n), p); }
inline void store(float* p, Lanes x) { _mm512_storeu_ps(p, x); }
inline void store_first(float* p, Lanes x, std::size_t n) { _mm512_mask_storeu_ps(p, below(n), x); }

inline Lanes add(Lanes a, Lanes b) { return _mm512_add_ps(a, b); }
inline Lanes sub(Lanes a, Lanes b) { return _mm512_sub_ps(a, b); }
inline Lanes mul(Lanes a, Lanes b) { return _mm512_mul_ps(a, b); }
inline Lanes div(Lanes a, Lanes b) { return _mm512_div_ps(a, b); }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
inline Lanes magnitude(Lanes x) { return _mm512_abs_ps(x); }
inline Lanes keep_first(Lanes x, std::size_t n, Lanes others) { return _mm512_mask_mov_ps(others, below(n), x); }
inline Lanes scale_by_power(Lanes x, Lanes exponent) { return _mm512_scalef_ps(x, exponent); }
inline void store_bytes(std::uint8_t* p, Lanes x, std::size_t n) {
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(x));
  if (n >= kLanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  _mm_mask_storeu_epi8(p, below(n), bytes);
}

inline float sum(Lanes x) {
  const __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float smallest(Lanes x) {
  const __m256 eight = _mm256_min_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_min_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float largest(Lanes x) {
  const __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

inline void transpose(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  Lanes a[16], b[16];
  for (std::size_t i = 0; i < 16; ++i) a[i] = i < rows ? _mm512_loadu_ps(in + i * stride) : _mm512_setzero_ps();
  for (int i = 0; i < 16; i += 2) {  // Pairs of rows, interleaved.
    b[i] = _mm512_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm512_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 16; i += 4) {  // Fours: a[i + c] holds columns c, c + 4, c + 8, c + 12 of rows i to i + 3.
    const __m512d p = _mm512_castps_pd(b[i]), q = _mm512_castps_pd(b[i + 1]), r = _mm512_castps_pd(b[i + 2]), t = _mm512_castps_pd(b[i + 3]);
    a[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(p, r));
    a[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(p, r));
    a[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(q, t));
    a[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(q, t));
  }
  for (std::size_t c = 0; c < 4; ++c) {  // Quarters of four vectors, gathered by column.
    const Lanes low = _mm512_shuffle_f32x4(a[c], a[c + 4], 0x88), high = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0x88);
    const Lanes low_odd = _mm512_shuffle_f32x4(a[c], a[c + 4], 0xDD), high_odd = _mm512_shuffle_f32x4(a[c + 8], a[c + 12], 0xDD);
    _mm512_storeu_ps(out + c * out_stride, _mm512_shuffle_f32x4(low, high, 0x88));
    _mm512_storeu_ps(out + (c + 8) * out_stride, _mm512_shuffle_f32x4(low, high, 0xDD));
    _mm512_storeu_ps(out + (c + 4) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0x88));
    _mm512_storeu_ps(out + (c + 12) * out_stride, _mm512_shuffle_f32x4(low_odd, high_odd, 0xDD));
  }
}

}  // namespace
}  // namespace sosie::embed

SOSIE_TARGET_END
