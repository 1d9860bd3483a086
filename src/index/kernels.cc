#include "index/kernels.h"

#include <cstdlib>
#include <string>

#include "base/log.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sosie::index {
namespace {

// Rows that one step of a scan multiplies with the same piece of the query.
constexpr std::size_t kRowsPerStep = 4;

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

#if defined(__x86_64__)

// Instruction sets are turned on by function attributes: a file-wide flag would leak into shared inline functions.
#define SOSIE_AVX2 __attribute__((target("avx2,fma")))
#define SOSIE_AVX512 __attribute__((target("avx512f")))

// How far ahead of the multiplication a scan asks for memory, in bytes. Measured: from 1 to 4 KiB it makes no difference.
constexpr std::size_t kPrefetchBytes = 2048;

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

// Two accumulators a row break the dependency chain of the additions.
template <std::size_t kRows>
SOSIE_AVX2 inline void step_avx2(const float* query, const float* rows, std::size_t stride, std::size_t n, float* out) {
  __m256 even[kRows], odd[kRows];
  for (std::size_t r = 0; r < kRows; ++r) even[r] = odd[r] = _mm256_setzero_ps();
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 q0 = _mm256_loadu_ps(query + i), q1 = _mm256_loadu_ps(query + i + 8);
    for (std::size_t r = 0; r < kRows; ++r) {
      const float* row = rows + r * stride + i;
      _mm_prefetch(reinterpret_cast<const char*>(row) + kPrefetchBytes, _MM_HINT_T0);
      even[r] = _mm256_fmadd_ps(q0, _mm256_loadu_ps(row), even[r]);
      odd[r] = _mm256_fmadd_ps(q1, _mm256_loadu_ps(row + 8), odd[r]);
    }
  }
  if (i + 8 <= n) {
    const __m256 q = _mm256_loadu_ps(query + i);
    for (std::size_t r = 0; r < kRows; ++r) even[r] = _mm256_fmadd_ps(q, _mm256_loadu_ps(rows + r * stride + i), even[r]);
    i += 8;
  }
  if (i < n) {
    const __m256i mask = mask_avx2(n - i);
    const __m256 q = _mm256_maskload_ps(query + i, mask);
    for (std::size_t r = 0; r < kRows; ++r) {
      odd[r] = _mm256_fmadd_ps(q, _mm256_maskload_ps(rows + r * stride + i, mask), odd[r]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) out[r] = sum_avx2(_mm256_add_ps(even[r], odd[r]));
}

SOSIE_AVX2 float dot_avx2(const float* a, const float* b, std::size_t n) {
  float out;
  step_avx2<1>(a, b, n, n, &out);
  return out;
}

SOSIE_AVX2 void dot_rows_avx2(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n,
                              float* out) {
  std::size_t r = 0;
  for (; r + kRowsPerStep <= count; r += kRowsPerStep) step_avx2<kRowsPerStep>(query, rows + r * stride, stride, n, out + r);
  for (; r < count; ++r) step_avx2<1>(query, rows + r * stride, stride, n, out + r);
}

template <std::size_t kRows>
SOSIE_AVX512 inline void step_avx512(const float* query, const float* rows, std::size_t stride, std::size_t n, float* out) {
  __m512 even[kRows], odd[kRows];
  for (std::size_t r = 0; r < kRows; ++r) even[r] = odd[r] = _mm512_setzero_ps();
  std::size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    const __m512 q0 = _mm512_loadu_ps(query + i), q1 = _mm512_loadu_ps(query + i + 16);
    for (std::size_t r = 0; r < kRows; ++r) {
      const float* row = rows + r * stride + i;
      _mm_prefetch(reinterpret_cast<const char*>(row) + kPrefetchBytes, _MM_HINT_T0);
      _mm_prefetch(reinterpret_cast<const char*>(row) + kPrefetchBytes + 64, _MM_HINT_T0);
      even[r] = _mm512_fmadd_ps(q0, _mm512_loadu_ps(row), even[r]);
      odd[r] = _mm512_fmadd_ps(q1, _mm512_loadu_ps(row + 16), odd[r]);
    }
  }
  if (i + 16 <= n) {
    const __m512 q = _mm512_loadu_ps(query + i);
    for (std::size_t r = 0; r < kRows; ++r) even[r] = _mm512_fmadd_ps(q, _mm512_loadu_ps(rows + r * stride + i), even[r]);
    i += 16;
  }
  if (i < n) {
    const __mmask16 mask = static_cast<__mmask16>((1u << (n - i)) - 1);
    const __m512 q = _mm512_maskz_loadu_ps(mask, query + i);
    for (std::size_t r = 0; r < kRows; ++r) {
      odd[r] = _mm512_fmadd_ps(q, _mm512_maskz_loadu_ps(mask, rows + r * stride + i), odd[r]);
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) out[r] = _mm512_reduce_add_ps(_mm512_add_ps(even[r], odd[r]));
}

SOSIE_AVX512 float dot_avx512(const float* a, const float* b, std::size_t n) {
  float out;
  step_avx512<1>(a, b, n, n, &out);
  return out;
}

SOSIE_AVX512 void dot_rows_avx512(const float* query, const float* rows, std::size_t stride, std::size_t count, std::size_t n,
                                  float* out) {
  std::size_t r = 0;
  for (; r + kRowsPerStep <= count; r += kRowsPerStep) step_avx512<kRowsPerStep>(query, rows + r * stride, stride, n, out + r);
  for (; r < count; ++r) step_avx512<1>(query, rows + r * stride, stride, n, out + r);
}

constexpr Kernels kAvx2{Isa::avx2, dot_avx2, dot_rows_avx2};
constexpr Kernels kAvx512{Isa::avx512, dot_avx512, dot_rows_avx512};

#endif

constexpr Isa kBestFirst[] = {Isa::avx512, Isa::avx2, Isa::scalar};

const Kernels& choose() {
  if (const char* forced = std::getenv("SOSIE_FORCE_ISA"); forced != nullptr && *forced != '\0') {
    for (Isa isa : kBestFirst) {
      if (to_string(isa) != forced) continue;
      if (const Kernels* found = kernels_for(isa)) return *found;
    }
    base::log_warning("SOSIE_FORCE_ISA is ignored: it must be scalar, avx2 or avx512, and this CPU must have it");
  }
  for (Isa isa : kBestFirst) {
    if (const Kernels* found = kernels_for(isa)) return *found;
  }
  return kScalar;
}

}  // namespace

std::string_view to_string(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return "scalar";
    case Isa::avx2: return "avx2";
    case Isa::avx512: return "avx512";
  }
  return "scalar";
}

const Kernels& kernels() noexcept {
  static const Kernels& chosen = choose();
  return chosen;
}

const Kernels* kernels_for(Isa isa) noexcept {
  switch (isa) {
    case Isa::scalar: return &kScalar;
#if defined(__x86_64__)
    // The compiler's support check covers the operating system's part (saved registers) too.
    case Isa::avx2: return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? &kAvx2 : nullptr;
    case Isa::avx512: return __builtin_cpu_supports("avx512f") ? &kAvx512 : nullptr;
#else
    default: return nullptr;
#endif
  }
  return nullptr;
}

}  // namespace sosie::index
