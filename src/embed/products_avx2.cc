#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include "embed/byte_sums_avx2.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX2)
namespace {

inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = 1;

// Four products of pairs are added in 16 bits, which `ByteMatrix` leaves room for, and widened once.
template <int R, int C>
inline void accumulate(const std::uint8_t* rows, std::size_t stride, const std::int8_t* const (&columns)[C], Sums (&sums)[R][C]) {
  const __m256i ones = _mm256_set1_epi16(1);
  for (int c = 0; c < C; ++c) {
    __m256i weights[4];
    for (int g = 0; g < 4; ++g) weights[g] = weights_at(columns[c] + g * kGroup * kBlockColumns);
    for (int r = 0; r < R; ++r) {
      const std::uint8_t* bytes = rows + r * stride;
      __m256i pairs = _mm256_maddubs_epi16(spread(bytes), weights[0]);
      for (int g = 1; g < 4; ++g) pairs = _mm256_add_epi16(pairs, _mm256_maddubs_epi16(spread(bytes + g * kGroup), weights[g]));
      sums[r][c] = _mm256_add_epi32(sums[r][c], _mm256_madd_epi16(pairs, ones));
    }
  }
}

}  // namespace
#include "embed/byte_products.inc"
SOSIE_TARGET_END

void multiply_bytes_avx2(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
