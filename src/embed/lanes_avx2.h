// lanes_avx2.h: sixteen floats in two registers of AVX2; lanes_scalar.h says what each operation does. Only for inclusion by files
// that set a target region around what they compile.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

#include "embed/target_region.h"

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX2)

namespace sosie::embed {
namespace {

inline constexpr std::size_t kLanes = 16;

inline constexpr int kRowsAtOnce = 6;
inline constexpr int kVectorsAtOnce = 1;

struct Lanes {
  __m256 low, high;
};

inline Lanes splat(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
inline Lanes load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
inline void store(float* p, Lanes x) {
  _mm256_storeu_ps(p, x.low);
  _mm256_storeu_ps(p + 8, x.high);
}

// Set for those of lanes first to first + 7 that are below n.
inline __m256i below(std::size_t n, int first) {
  const __m256i lane = _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lane);
}
inline Lanes load_first(const float* p, std::size_t n) {
  if (n >= kLanes) return load(p);
  if (n <= 8) return {_mm256_maskload_ps(p, below(n, 0)), _mm256_setzero_ps()};
  return {_mm256_loadu_ps(p), _mm256_maskload_ps(p + 8, below(n, 8))};
}
inline void store_first(float* p, Lanes x, std::size_t n) {
  if (n >= kLanes) return store(p, x);
  _mm256_maskstore_ps(p, below(n, 0), x.low);
  if (n > 8) _mm256_maskstore_ps(p + 8, below(n, 8), x.high);
}

inline Lanes add(Lanes a, Lanes b) { return {_mm256_add_ps(a.low, b.low), _mm256_add_ps(a.high, b.high)}; }
inline Lanes sub(Lanes a, Lanes b) { return {_mm256_sub_ps(a.low, b.low), _mm256_sub_ps(a.high, b.high)}; }
inline Lanes mul(Lanes a, Lanes b) { return {_mm256_mul_ps(a.low, b.low), _mm256_mul_ps(a.high, b.high)}; }
inline Lanes div(Lanes a, Lanes b) { return {_mm256_div_ps(a.low, b.low), _mm256_div_ps(a.high, b.high)}; }
inline Lanes fma(Lanes a, Lanes b, Lanes c) { return {_mm256_fmadd_ps(a.low, b.low, c.low), _mm256_fmadd_ps(a.high, b.high, c.high)}; }
inline Lanes smaller(Lanes a, Lanes b) { return {_mm256_min_ps(a.low, b.low), _mm256_min_ps(a.high, b.high)}; }
inline Lanes larger(Lanes a, Lanes b) { return {_mm256_max_ps(a.low, b.low), _mm256_max_ps(a.high, b.high)}; }
inline Lanes magnitude(Lanes x) {
  const __m256 sign = _mm256_set1_ps(-0.0F);
  return {_mm256_andnot_ps(sign, x.low), _mm256_andnot_ps(sign, x.high)};
}
inline Lanes keep_first(Lanes x, std::size_t n, Lanes others) {
  return {_mm256_blendv_ps(others.low, x.low, _mm256_castsi256_ps(below(n, 0))), _mm256_blendv_ps(others.high, x.high, _mm256_castsi256_ps(below(n, 8)))};
}
inline __m256 power_of_two(__m256 exponent) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(exponent), _mm256_set1_epi32(127)), 23));
}
inline Lanes scale_by_power(Lanes x, Lanes exponent) {
  return {_mm256_mul_ps(x.low, power_of_two(exponent.low)), _mm256_mul_ps(x.high, power_of_two(exponent.high))};
}
inline void store_bytes(std::uint8_t* p, Lanes x, std::size_t n) {
  const __m256i words = _mm256_packs_epi32(_mm256_cvtps_epi32(x.low), _mm256_cvtps_epi32(x.high));  // Quarters 0, 2, 1, 3.
  const __m256i ordered = _mm256_permute4x64_epi64(words, 0xD8);
  const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(ordered), _mm256_extracti128_si256(ordered, 1));
  if (n >= kLanes) return _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes);
  alignas(16) std::uint8_t all[kLanes];
  _mm_store_si128(reinterpret_cast<__m128i*>(all), bytes);
  for (std::size_t i = 0; i < n; ++i) p[i] = all[i];
}

inline float sum(Lanes x) {
  const __m256 eight = _mm256_add_ps(x.low, x.high);
  const __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float smallest(Lanes x) {
  const __m256 eight = _mm256_min_ps(x.low, x.high);
  const __m128 four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_min_ss(two, _mm_shuffle_ps(two, two, 1)));
}
inline float largest(Lanes x) {
  const __m256 eight = _mm256_max_ps(x.low, x.high);
  const __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// Eight rows of eight columns.
inline void transpose8(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  __m256 a[8], b[8];
  for (std::size_t i = 0; i < 8; ++i) a[i] = i < rows ? _mm256_loadu_ps(in + i * stride) : _mm256_setzero_ps();
  for (int i = 0; i < 8; i += 2) {  // Pairs of rows, interleaved.
    b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
    b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
  }
  for (int i = 0; i < 8; i += 4) {  // Fours: a[i + c] holds columns c and c + 4 of rows i to i + 3.
    a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
    a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xEE);
    a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
    a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xEE);
  }
  for (std::size_t c = 0; c < 4; ++c) {
    _mm256_storeu_ps(out + c * out_stride, _mm256_permute2f128_ps(a[c], a[c + 4], 0x20));
    _mm256_storeu_ps(out + (c + 4) * out_stride, _mm256_permute2f128_ps(a[c], a[c + 4], 0x31));
  }
}
inline void transpose(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  for (std::size_t r = 0; r < kLanes; r += 8) {
    const std::size_t left = rows > r ? rows - r : 0;
    transpose8(in + r * stride, stride, left, out + r, out_stride);
    transpose8(in + r * stride + 8, stride, left, out + 8 * out_stride + r, out_stride);
  }
}

}  // namespace
}  // namespace sosie::embed

SOSIE_TARGET_END
