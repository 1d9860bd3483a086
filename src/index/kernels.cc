#include "index/kernels.h"

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace sosie::index {
namespace {

float dot_scalar(const float* a, const float* b, std::size_t n) {
  float lanes[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += a[i + lane] * b[i + lane];
  }
  for (std::size_t lane = 0; i < n; ++i, ++lane) lanes[lane] += a[i] * b[i];
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

void dot_rows_scalar(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n, float* out) {
  for (std::size_t r = 0; r < count; ++r) out[r] = dot_scalar(query, rows + r * stride, n);
}

constexpr Kernels kScalar{Isa::scalar, dot_scalar, dot_rows_scalar};

// How far ahead of the multiplication a scan asks for memory. Rows are read front to back, one at a time: that is one
// stream for the memory, and reaches its full bandwidth; four rows at a time, as four streams, reach less than half of it.
constexpr std::size_t kPrefetchBytes = 4096;

template <bool kPrefetch>
inline void prefetch(const float* at) {
  if constexpr (kPrefetch) __builtin_prefetch(reinterpret_cast<const char*>(at) + kPrefetchBytes);
}

#if defined(__x86_64__)

// Instruction sets are turned on by function attributes: a file-wide flag would leak into shared inline functions.
#define SOSIE_AVX2 __attribute__((target("avx2,fma")))
#define SOSIE_AVX512 __attribute__((target("avx512f")))

SOSIE_AVX2 inline float sum_avx2(__m256 v) {
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

// A mask whose first `rest` of 8 lanes are set.
SOSIE_AVX2 inline __m256i mask_avx2(std::size_t rest) {
  const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(rest)), lane);
}

// Several accumulators break the dependency chain of the additions.
template <bool kPrefetch>
SOSIE_AVX2 inline float product_avx2(const float* a, const float* b, std::size_t n) {
  __m256 sum[4];
  for (__m256& s : sum) s = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    prefetch<kPrefetch>(b + i);
    prefetch<kPrefetch>(b + i + 16);
    for (std::size_t k = 0; k < 4; ++k) {
      sum[k] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8 * k), _mm256_loadu_ps(b + i + 8 * k), sum[k]);
    }
  }
  for (; i + 8 <= n; i += 8) sum[0] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i), sum[0]);
  if (i < n) {
    const __m256i mask = mask_avx2(n - i);
    sum[1] = _mm256_fmadd_ps(_mm256_maskload_ps(a + i, mask), _mm256_maskload_ps(b + i, mask), sum[1]);
  }
  return sum_avx2(_mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
}

SOSIE_AVX2 float dot_avx2(const float* a, const float* b, std::size_t n) { return product_avx2<false>(a, b, n); }

SOSIE_AVX2 void dot_rows_avx2(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n,
                              float* out) {
  for (std::size_t r = 0; r < count; ++r) out[r] = product_avx2<true>(query, rows + r * stride, n);
}

template <bool kPrefetch>
SOSIE_AVX512 inline float product_avx512(const float* a, const float* b, std::size_t n) {
  __m512 sum[4];
  for (__m512& s : sum) s = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 64 <= n; i += 64) {
    for (std::size_t k = 0; k < 4; ++k) {
      prefetch<kPrefetch>(b + i + 16 * k);
      sum[k] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i + 16 * k), _mm512_loadu_ps(b + i + 16 * k), sum[k]);
    }
  }
  for (; i + 16 <= n; i += 16) sum[0] = _mm512_fmadd_ps(_mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i), sum[0]);
  if (i < n) {
    const __mmask16 mask = static_cast<__mmask16>((1u << (n - i)) - 1);
    sum[1] = _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, a + i), _mm512_maskz_loadu_ps(mask, b + i), sum[1]);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(sum[0], sum[1]), _mm512_add_ps(sum[2], sum[3])));
}

SOSIE_AVX512 float dot_avx512(const float* a, const float* b, std::size_t n) { return product_avx512<false>(a, b, n); }

SOSIE_AVX512 void dot_rows_avx512(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n,
                                  float* out) {
  for (std::size_t r = 0; r < count; ++r) out[r] = product_avx512<true>(query, rows + r * stride, n);
}

constexpr Kernels kAvx2{Isa::avx2, dot_avx2, dot_rows_avx2};
constexpr Kernels kAvx512{Isa::avx512, dot_avx512, dot_rows_avx512};

#elif defined(__aarch64__)

template <bool kPrefetch>
inline float product_neon(const float* a, const float* b, std::size_t n) {
  float32x4_t sum[8];
  for (float32x4_t& s : sum) s = vdupq_n_f32(0);
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    prefetch<kPrefetch>(b + i);
    prefetch<kPrefetch>(b + i + 16);
    for (std::size_t k = 0; k < 8; ++k) sum[k] = vfmaq_f32(sum[k], vld1q_f32(a + i + 4 * k), vld1q_f32(b + i + 4 * k));
  }
  for (; i + 4 <= n; i += 4) sum[0] = vfmaq_f32(sum[0], vld1q_f32(a + i), vld1q_f32(b + i));
  if (i < n) {
    float rest_a[4] = {}, rest_b[4] = {};
    std::memcpy(rest_a, a + i, (n - i) * sizeof(float));
    std::memcpy(rest_b, b + i, (n - i) * sizeof(float));
    sum[1] = vfmaq_f32(sum[1], vld1q_f32(rest_a), vld1q_f32(rest_b));
  }
  for (std::size_t half = 4; half > 0; half /= 2) {
    for (std::size_t k = 0; k < half; ++k) sum[k] = vaddq_f32(sum[k], sum[k + half]);
  }
  return vaddvq_f32(sum[0]);
}

float dot_neon(const float* a, const float* b, std::size_t n) { return product_neon<false>(a, b, n); }

void dot_rows_neon(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n, float* out) {
  for (std::size_t r = 0; r < count; ++r) out[r] = product_neon<true>(query, rows + r * stride, n);
}

constexpr Kernels kNeon{Isa::neon, dot_neon, dot_rows_neon};

#endif

}  // namespace

const Kernels& kernels() noexcept {
  static const Kernels& chosen = *base::choose_isa(kernels_for);
  return chosen;
}

const Kernels* kernels_for(Isa isa) noexcept {
  // Products of bytes play no part here.
  switch (isa) {
    case Isa::scalar: return &kScalar;
#if defined(__x86_64__)
    // The compiler's support check covers the operating system's part (saved registers) too.
    case Isa::avx2:
    case Isa::avxvnni: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2 : nullptr;
    case Isa::avx512:
    case Isa::avx512vnni: return __builtin_cpu_supports("avx512f") ? &kAvx512 : nullptr;
#elif defined(__aarch64__)
    case Isa::neon:
    case Isa::neondot:
    case Isa::neoni8mm: return &kNeon;
#endif
    default: return nullptr;
  }
}

}  // namespace sosie::index
