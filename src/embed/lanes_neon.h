// lanes_neon.h: sixteen floats in four registers of NEON; lanes_scalar.h says what each operation does.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace sosie::embed {
namespace {

inline constexpr std::size_t kLanes = 16;

inline constexpr int kRowsAtOnce = 6;
inline constexpr int kVectorsAtOnce = 1;

struct Lanes {
  float32x4_t at[4];
};

template <class F>
inline Lanes each(F of_four) {
  return {of_four(0), of_four(1), of_four(2), of_four(3)};
}

inline Lanes splat(float x) {
  return each([x](int) { return vdupq_n_f32(x); });
}
inline Lanes load(const float* p) {
  return each([p](int i) { return vld1q_f32(p + 4 * i); });
}
inline void store(float* p, const Lanes& x) {
  for (int i = 0; i < 4; ++i) vst1q_f32(p + 4 * i, x.at[i]);
}
inline Lanes load_first(const float* p, std::size_t n) {
  if (n >= kLanes) return load(p);
  float all[kLanes] = {};
  std::memcpy(all, p, n * sizeof(float));
  return load(all);
}
inline void store_first(float* p, const Lanes& x, std::size_t n) {
  if (n >= kLanes) return store(p, x);
  float all[kLanes];
  store(all, x);
  std::memcpy(p, all, n * sizeof(float));
}

inline Lanes add(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return vaddq_f32(x.at[i], y.at[i]); });
}
inline Lanes sub(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return vsubq_f32(x.at[i], y.at[i]); });
}
inline Lanes mul(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return vmulq_f32(x.at[i], y.at[i]); });
}
inline Lanes div(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return vdivq_f32(x.at[i], y.at[i]); });
}
inline Lanes fma(const Lanes& x, const Lanes& y, const Lanes& z) {
  return each([&](int i) { return vfmaq_f32(z.at[i], x.at[i], y.at[i]); });
}
// Not vminq_f32 and vmaxq_f32: these prefer what is no number, and order zeros by their sign.
inline float32x4_t smaller_of(float32x4_t x, float32x4_t y) { return vbslq_f32(vcltq_f32(x, y), x, y); }
inline float32x4_t larger_of(float32x4_t x, float32x4_t y) { return vbslq_f32(vcgtq_f32(x, y), x, y); }
inline Lanes smaller(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return smaller_of(x.at[i], y.at[i]); });
}
inline Lanes larger(const Lanes& x, const Lanes& y) {
  return each([&](int i) { return larger_of(x.at[i], y.at[i]); });
}
inline Lanes magnitude(const Lanes& x) {
  return each([&](int i) { return vabsq_f32(x.at[i]); });
}
inline Lanes keep_first(const Lanes& x, std::size_t n, const Lanes& others) {
  if (n >= kLanes) return x;
  float kept[kLanes];
  store(kept, others);
  store_first(kept, x, n);
  return load(kept);
}
inline Lanes scale_by_power(const Lanes& x, const Lanes& exponent) {
  return each([&](int i) {
    const int32x4_t biased = vaddq_s32(vcvtq_s32_f32(exponent.at[i]), vdupq_n_s32(127));
    return vmulq_f32(x.at[i], vreinterpretq_f32_s32(vshlq_n_s32(biased, 23)));
  });
}
inline void store_bytes(std::uint8_t* p, const Lanes& x, std::size_t n) {
  const uint16x8_t low = vcombine_u16(vmovn_u32(vcvtnq_u32_f32(x.at[0])), vmovn_u32(vcvtnq_u32_f32(x.at[1])));
  const uint16x8_t high = vcombine_u16(vmovn_u32(vcvtnq_u32_f32(x.at[2])), vmovn_u32(vcvtnq_u32_f32(x.at[3])));
  const uint8x16_t bytes = vcombine_u8(vmovn_u16(low), vmovn_u16(high));
  if (n >= kLanes) return vst1q_u8(p, bytes);
  std::uint8_t all[kLanes];
  vst1q_u8(all, bytes);
  std::memcpy(p, all, n);
}

inline float sum(const Lanes& x) {
  const float32x4_t four = vaddq_f32(vaddq_f32(x.at[0], x.at[2]), vaddq_f32(x.at[1], x.at[3]));
  const float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}
// `of_two` in the order of lanes_scalar.h's `fold`.
template <class F>
inline float fold(const Lanes& x, F of_two) {
  const float32x4_t four = of_two(of_two(x.at[0], x.at[2]), of_two(x.at[1], x.at[3]));
  const float32x4_t two = of_two(four, vextq_f32(four, four, 2));
  return vgetq_lane_f32(of_two(two, vextq_f32(two, two, 1)), 0);
}
inline float smallest(const Lanes& x) { return fold(x, smaller_of); }
inline float largest(const Lanes& x) { return fold(x, larger_of); }

// Four rows of four columns.
inline void transpose4(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  float32x4_t row[4];
  for (std::size_t i = 0; i < 4; ++i) row[i] = i < rows ? vld1q_f32(in + i * stride) : vdupq_n_f32(0);
  const auto pairs = [](float32x4_t x) { return vreinterpretq_f64_f32(x); };
  const float64x2_t even01 = pairs(vtrn1q_f32(row[0], row[1])), odd01 = pairs(vtrn2q_f32(row[0], row[1]));
  const float64x2_t even23 = pairs(vtrn1q_f32(row[2], row[3])), odd23 = pairs(vtrn2q_f32(row[2], row[3]));
  vst1q_f32(out, vreinterpretq_f32_f64(vtrn1q_f64(even01, even23)));
  vst1q_f32(out + out_stride, vreinterpretq_f32_f64(vtrn1q_f64(odd01, odd23)));
  vst1q_f32(out + 2 * out_stride, vreinterpretq_f32_f64(vtrn2q_f64(even01, even23)));
  vst1q_f32(out + 3 * out_stride, vreinterpretq_f32_f64(vtrn2q_f64(odd01, odd23)));
}
inline void transpose(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  for (std::size_t r = 0; r < kLanes; r += 4) {
    const std::size_t left = rows > r ? rows - r : 0;
    for (std::size_t c = 0; c < kLanes; c += 4) transpose4(in + r * stride + c, stride, left, out + c * out_stride + r, out_stride);
  }
}

}  // namespace
}  // namespace sosie::embed
