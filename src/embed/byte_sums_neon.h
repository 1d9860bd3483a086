// byte_sums_neon.h: four columns' sums of a product of bytes, and the floats made of them.
#pragma once

#include <arm_neon.h>

#include "embed/kernels.h"

namespace sosie::embed {
namespace {

inline constexpr std::size_t kColumns = 4;

using Sums = int32x4_t;

inline void finish(Sums sums, RowScale row, const ByteColumns& columns, std::size_t first, float* out) {
  const float32x4_t scale = vmulq_f32(vdupq_n_f32(row.scale), vld1q_f32(columns.scale + first));
  const float32x4_t rest = vfmaq_f32(vld1q_f32(columns.bias + first), vdupq_n_f32(row.low), vld1q_f32(columns.sum + first));
  vst1q_f32(out, vfmaq_f32(rest, vcvtq_f32_s32(sums), scale));
}

// Where both sides must be signed, 128 is taken from the left one: the sums begin with 128 times those of the weights.
inline int8x16_t as_signed(uint8x16_t bytes) { return vreinterpretq_s8_u8(veorq_u8(bytes, vdupq_n_u8(0x80))); }

inline Sums sums_of_signed(const std::int8_t* weights, std::size_t depth) {
  Sums sums = vdupq_n_s32(0);
  for (std::size_t d = 0; d < depth; d += kGroup) sums = vpadalq_s16(sums, vpaddlq_s8(vld1q_s8(weights + d * kBlockColumns)));
  return vshlq_n_s32(sums, 7);
}

}  // namespace
}  // namespace sosie::embed
