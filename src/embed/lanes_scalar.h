// lanes_scalar.h: sixteen floats in plain C++. The lanes_*.h all offer the same operations with the same results, bit by bit:
// every one is an IEEE 754 operation rounded once, and sums are taken in one order.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace sosie::embed {
namespace {

inline constexpr std::size_t kLanes = 16;

// What attention keeps in registers: query rows, and vectors of each.
inline constexpr int kRowsAtOnce = 1;
inline constexpr int kVectorsAtOnce = 1;

struct Lanes {
  float at[kLanes];
};

template <class F>
inline Lanes each(F of_lane) {
  Lanes out;
  for (std::size_t i = 0; i < kLanes; ++i) out.at[i] = of_lane(i);
  return out;
}

inline Lanes splat(float x) {
  return each([x](std::size_t) { return x; });
}
inline Lanes load(const float* p) {
  return each([p](std::size_t i) { return p[i]; });
}
// The first n (from 16 on: all), then 0.
inline Lanes load_first(const float* p, std::size_t n) {
  return each([p, n](std::size_t i) { return i < n ? p[i] : 0.0F; });
}
inline void store(float* p, const Lanes& x) {
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = x.at[i];
}
inline void store_first(float* p, const Lanes& x, std::size_t n) {
  for (std::size_t i = 0; i < kLanes && i < n; ++i) p[i] = x.at[i];
}

inline Lanes add(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] + b.at[i]; });
}
inline Lanes sub(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] - b.at[i]; });
}
inline Lanes mul(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] * b.at[i]; });
}
inline Lanes div(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] / b.at[i]; });
}
// a * b + c, rounded once.
inline Lanes fma(const Lanes& a, const Lanes& b, const Lanes& c) {
  return each([&](std::size_t i) { return std::fma(a.at[i], b.at[i], c.at[i]); });
}
// b where the two are not ordered.
inline Lanes smaller(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] < b.at[i] ? a.at[i] : b.at[i]; });
}
inline Lanes larger(const Lanes& a, const Lanes& b) {
  return each([&](std::size_t i) { return a.at[i] > b.at[i] ? a.at[i] : b.at[i]; });
}
inline Lanes magnitude(const Lanes& x) {
  return each([&](std::size_t i) { return std::bit_cast<float>(std::bit_cast<std::uint32_t>(x.at[i]) & 0x7FFFFFFFU); });
}
// The first n of x, then `others`.
inline Lanes keep_first(const Lanes& x, std::size_t n, const Lanes& others) {
  return each([&](std::size_t i) { return i < n ? x.at[i] : others.at[i]; });
}
// x * 2^exponent. REQUIRES: whole exponents of -126 to 127; neither operand nor result is subnormal.
inline Lanes scale_by_power(const Lanes& x, const Lanes& exponent) {
  return each([&](std::size_t i) {
    return x.at[i] * std::bit_cast<float>(static_cast<std::uint32_t>(static_cast<std::int32_t>(exponent.at[i]) + 127) << 23);
  });
}
// Rounds to the nearest integer, ties to even, and writes the first n (from 16 on: all) as bytes. REQUIRES: 0 <= x < 255.5.
inline void store_bytes(std::uint8_t* p, const Lanes& x, std::size_t n) {
  for (std::size_t i = 0; i < kLanes && i < n; ++i) p[i] = static_cast<std::uint8_t>(std::bit_cast<std::uint32_t>(x.at[i] + 12582912.0F));  // 1.5 * 2^23
}

// Lanes 8 apart first, then 4, 2, 1.
template <class F>
inline float fold(Lanes x, F of_two) {
  for (std::size_t half = kLanes / 2; half > 0; half /= 2) {
    for (std::size_t i = 0; i < half; ++i) x.at[i] = of_two(x.at[i], x.at[i + half]);
  }
  return x.at[0];
}
inline float sum(const Lanes& x) {
  return fold(x, [](float a, float b) { return a + b; });
}
inline float smallest(const Lanes& x) {
  return fold(x, [](float a, float b) { return a < b ? a : b; });
}
inline float largest(const Lanes& x) {
  return fold(x, [](float a, float b) { return a > b ? a : b; });
}

// `rows` (at most 16) of 16 columns, transposed: column c goes to the 16 floats at out + c * out_stride. Rows beyond `rows` are 0.
inline void transpose(const float* in, std::size_t stride, std::size_t rows, float* out, std::size_t out_stride) {
  for (std::size_t c = 0; c < kLanes; ++c) {
    for (std::size_t r = 0; r < kLanes; ++r) out[c * out_stride + r] = r < rows ? in[r * stride + c] : 0.0F;
  }
}

}  // namespace
}  // namespace sosie::embed
