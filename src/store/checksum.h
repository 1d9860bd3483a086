// checksum.h: tells stored bytes from damaged ones.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace sosie::store {

/// 64 bits over `bytes` and their number, continuing from `seed`. Part of the file's format; no defence against malice.
inline std::int64_t checksum(std::string_view bytes, std::int64_t seed = 0) noexcept {
  constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15u;
  std::uint64_t state = (static_cast<std::uint64_t>(seed) ^ bytes.size()) * kOdd + 1;
  const auto mix = [&state](std::uint64_t word) {
    state = (state ^ word) * kOdd;
    state ^= state >> 29;
  };
  std::size_t i = 0;
  for (; i + 8 <= bytes.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, bytes.data() + i, 8);
    mix(word);
  }
  std::uint64_t rest = 0;
  if (i < bytes.size()) std::memcpy(&rest, bytes.data() + i, bytes.size() - i);
  mix(rest);
  return static_cast<std::int64_t>(state);
}

}  // namespace sosie::store
