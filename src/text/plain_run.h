// plain_run.h: runs of bytes that need no more than copying, eight at a time.
//
// Thread-safety: pure functions.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

namespace sosie::text {

/// Bytes that end a run: two given ones, and either everything below 0x20 or a line end alone.
struct RunEnds {
  char first, second;
  bool controls;

  bool at(char c) const noexcept {
    return c == first || c == second || (controls ? static_cast<unsigned char>(c) < 0x20 : c == '\n');
  }

  /// Where in eight bytes the first end stands, in their order; 8: nowhere.
  std::size_t in(std::uint64_t bytes) const noexcept {
    constexpr std::uint64_t kOnes = 0x0101010101010101, kHighs = 0x8080808080808080;
    const auto zeros = [](std::uint64_t word) { return (word - kOnes) & ~word; };
    const auto equals = [&](char c) { return zeros(bytes ^ (kOnes * static_cast<unsigned char>(c))); };
    const std::uint64_t below = controls ? (bytes - kOnes * 0x20) & ~bytes : equals('\n');
    // A borrow marks only bytes behind the first that is meant.
    return static_cast<std::size_t>(std::countr_zero((equals(first) | equals(second) | below) & kHighs)) / 8;
  }
};
static_assert(std::endian::native == std::endian::little);

/// What JSON wants escaped in a string.
inline constexpr RunEnds kJsonStringEnds{.first = '"', .second = '\\', .controls = true};

/// The first byte from `at` on that ends the run, or `end`.
inline const char* find_run_end(const char* at, const char* end, RunEnds ends) noexcept {
  for (; end - at >= 8; at += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, at, 8);
    if (const std::size_t found = ends.in(bytes); found < 8) return at + found;
  }
  while (at != end && !ends.at(*at)) ++at;
  return at;
}

/// Copies the run from `at` on and moves both pointers behind it. `to` has room for eight bytes beyond `end - at`.
inline void copy_run(const char*& at, const char* end, char*& to, RunEnds ends) noexcept {
  for (; end - at >= 8; at += 8, to += 8) {
    std::uint64_t bytes;
    std::memcpy(&bytes, at, 8);
    std::memcpy(to, &bytes, 8);
    if (const std::size_t found = ends.in(bytes); found < 8) {
      at += found;
      to += found;
      return;
    }
  }
  while (at != end && !ends.at(*at)) *to++ = *at++;
}

}  // namespace sosie::text
