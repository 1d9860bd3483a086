#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__aarch64__)

#include "embed/byte_sums_neon.h"

namespace sosie::embed {
namespace {

inline constexpr int kTileRows = 6;
inline constexpr int kTileVectors = 2;

inline Sums first_sums(const std::int8_t* weights, std::size_t depth) { return sums_of_signed(weights, depth); }

// The products of four columns with the four bytes of group G, added in 16 bits: of the first two columns, then of the others.
template <int G>
inline int16x8x2_t add_products(int16x8x2_t pairs, int8x16_t weights, int8x16_t row) {
  const int8x16_t bytes = vreinterpretq_s8_s32(vdupq_laneq_s32(vreinterpretq_s32_s8(row), G));
  return {vmlal_s8(pairs.val[0], vget_low_s8(weights), vget_low_s8(bytes)), vmlal_high_s8(pairs.val[1], weights, bytes)};
}

// `ByteMatrix` leaves room for eight products in 16 bits, with 128 taken from each byte too: 128 * 128 + 127 * 128 < 2^15. Four are added
// there, then pairs of these.
template <int R, int C>
inline void accumulate(const std::uint8_t* rows, std::size_t stride, const std::int8_t* const (&columns)[C], Sums (&sums)[R][C]) {
  for (int c = 0; c < C; ++c) {
    int8x16_t weights[4];
    for (int g = 0; g < 4; ++g) weights[g] = vld1q_s8(columns[c] + g * kGroup * kBlockColumns);
    for (int r = 0; r < R; ++r) {
      const int8x16_t row = as_signed(vld1q_u8(rows + r * stride));
      int16x8x2_t pairs = {vdupq_n_s16(0), vdupq_n_s16(0)};
      pairs = add_products<0>(pairs, weights[0], row);
      pairs = add_products<1>(pairs, weights[1], row);
      pairs = add_products<2>(pairs, weights[2], row);
      pairs = add_products<3>(pairs, weights[3], row);
      sums[r][c] = vpadalq_s16(sums[r][c], vpaddq_s16(pairs.val[0], pairs.val[1]));
    }
  }
}

}  // namespace
#include "embed/byte_products.inc"

void multiply_bytes_neon(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
