// float_mode.h: floating-point arithmetic as the language promises it.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace sosie::embed {

/// While it lives, this thread rounds to nearest and computes with subnormal numbers, whatever its program has set; then as before.
class DefaultFloatMode {
 public:
#if defined(__x86_64__)
  DefaultFloatMode() noexcept : before_(_mm_getcsr()) { _mm_setcsr(0x1F80); }
  ~DefaultFloatMode() { _mm_setcsr(before_); }
#elif defined(__aarch64__)
  DefaultFloatMode() noexcept {
    asm volatile("mrs %0, fpcr" : "=r"(before_));
    set(0);
  }
  ~DefaultFloatMode() { set(before_); }
#else
  DefaultFloatMode() noexcept {}
#endif
  DefaultFloatMode(const DefaultFloatMode&) = delete;
  DefaultFloatMode& operator=(const DefaultFloatMode&) = delete;

#if defined(__x86_64__)
 private:
  unsigned before_;
#elif defined(__aarch64__)
 private:
  static void set(std::uint64_t mode) noexcept { asm volatile("msr fpcr, %0" : : "r"(mode) : "memory"); }
  std::uint64_t before_;
#endif
};

}  // namespace sosie::embed
