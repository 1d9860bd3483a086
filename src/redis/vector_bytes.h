// vector_bytes.h: a vector as the search module stores and compares it.
#pragma once

#include <bit>
#include <cstring>
#include <span>
#include <string>

namespace sosie::redis {

/// Little-endian float32.
inline std::string vector_bytes(std::span<const float> vector) {
  static_assert(std::endian::native == std::endian::little);
  std::string bytes(vector.size_bytes(), '\0');
  if (!vector.empty()) std::memcpy(bytes.data(), vector.data(), vector.size_bytes());
  return bytes;
}

}  // namespace sosie::redis
