// digest.h: SHA-256 over parts that cannot run into each other.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sosie::base {

using Digest = std::array<std::uint8_t, 32>;

/// SHA-256 of `bytes`.
Digest sha256(std::string_view bytes);

/// A digest of several parts, each preceded by its length, so that ("ab","c") and ("a","bc") differ.
/// Thread-safety: distinct objects only.
class DigestBuilder {
 public:
  DigestBuilder() noexcept;
  DigestBuilder(const DigestBuilder&) = delete;
  DigestBuilder& operator=(const DigestBuilder&) = delete;

  DigestBuilder& add(std::string_view part);
  DigestBuilder& add(std::uint64_t number);
  /// REQUIRES: called once.
  Digest finish();

 private:
  std::array<std::uint32_t, 28> context_;  // OpenSSL's SHA256_CTX, which this header does not name.
};

/// Lower-case hex, two digits a byte.
std::string to_hex(std::span<const std::uint8_t> bytes);

/// Unset: it is not what `to_hex` gives for a digest.
std::optional<Digest> digest_from_hex(std::string_view text);

}  // namespace sosie::base
