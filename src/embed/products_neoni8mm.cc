#include <cstring>

#include "embed/kernel_sets.h"

#if defined(__aarch64__)

#include "embed/byte_sums_neon.h"
#include "embed/target_region.h"

namespace sosie::embed {

SOSIE_TARGET_BEGIN("+i8mm")
namespace {

inline constexpr int kTileRows = 8;
inline constexpr int kTileVectors = 2;

inline Sums first_sums(const std::int8_t*, std::size_t) { return vdupq_n_s32(0); }

using Row = uint8x16_t;
inline Row load_row(const std::uint8_t* bytes) { return vld1q_u8(bytes); }
template <int G>
inline Sums add_dots(Sums sums, int8x16_t weights, Row row) {
  return vsudotq_laneq_s32(sums, weights, row, G);
}
#include "embed/neon_dots.inc"

}  // namespace
#include "embed/byte_products.inc"
SOSIE_TARGET_END

void multiply_bytes_neoni8mm(const ByteRows& left, const ByteColumns& right, float* out) { multiply_all(left, right, out); }

}  // namespace sosie::embed

#endif
