#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__aarch64__)

#include "embed/byte_sums_neon.h"
#include "embed/target_region.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN("+dotprod")
namespace {

inline constexpr int kTileRows = 8;
inline constexpr int kTileVectors = 2;

inline Sums first_sums(const std::int8_t* weights, std::size_t depth) { return sums_of_signed(weights, depth); }

using Row = int8x16_t;
inline Row load_row(const std::uint8_t* bytes) { return as_signed(vld1q_u8(bytes)); }
template <int G>
inline Sums add_dots(Sums sums, int8x16_t weights, Row row) {
  return vdotq_laneq_s32(sums, weights, row, G);
}
#include "embed/neon_dots.inc"

}  // namespace
#include "embed/byte_products.inc"
SOSIE_TARGET_END

void multiply_bytes_neondot(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
