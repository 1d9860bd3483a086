#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__x86_64__)

#include "embed/byte_sums_avx512.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN(SOSIE_TARGET_AVX512 ",avx512vnni")
namespace {

inline constexpr int kTileRows = 8;
inline constexpr int kTileVectors = 3;

template <int R, int C>
inline void accumulate(const std::uint8_t* rows, std::size_t stride, const std::int8_t* const (&columns)[C], Sums (&sums)[R][C]) {
  for (std::size_t g = 0; g < kDepthStep; g += kGroup) {
    __m512i weights[C];
    for (int c = 0; c < C; ++c) weights[c] = weights_at(columns[c] + g * kBlockColumns);
    for (int r = 0; r < R; ++r) {
      const __m512i bytes = spread(rows + r * stride + g);
      for (int c = 0; c < C; ++c) sums[r][c] = _mm512_dpbusd_epi32(sums[r][c], bytes, weights[c]);
    }
  }
}

}  // namespace
#include "embed/byte_products.inc"
SOSIE_TARGET_END

void multiply_bytes_avx512vnni(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
