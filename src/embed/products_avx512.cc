#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include "embed/byte_sums_avx512.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX512)
namespace {

inline constexpr int kTileRows = 8;
inline constexpr int kTileVectors = 2;

// Four products of pairs are added in 16 bits, which `ByteMatrix` leaves room for, and widened once.
template <int R, int C>
inline void accumulate(const std::uint8_t* rows, std::size_t stride, const std::int8_t* const (&columns)[C], Sums (&sums)[R][C]) {
  const __m512i ones = _mm512_set1_epi16(1);
  for (int c = 0; c < C; ++c) {
    __m512i weights[4];
    for (int g = 0; g < 4; ++g) weights[g] = weights_at(columns[c] + g * kGroup * kBlockColumns);
    for (int r = 0; r < R; ++r) {
      const std::uint8_t* bytes = rows + r * stride;
      __m512i pairs = _mm512_maddubs_epi16(spread(bytes), weights[0]);
      for (int g = 1; g < 4; ++g) pairs = _mm512_add_epi16(pairs, _mm512_maddubs_epi16(spread(bytes + g * kGroup), weights[g]));
      sums[r][c] = _mm512_add_epi32(sums[r][c], _mm512_madd_epi16(pairs, ones));
    }
  }
}

}  // namespace
#include "embed/byte_products.inc"
SOSIE_TARGET_END

void multiply_bytes_avx512(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
