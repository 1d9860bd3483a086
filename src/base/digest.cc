#include "base/digest.h"

// The functions behind EVP's, which OpenSSL 3 marks as deprecated: EVP allocates for every digest, and takes as long again for that as the
// short texts of a request take to digest.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/sha.h>

namespace sosie::base {
namespace {

SHA256_CTX* as_context(std::array<std::uint32_t, 28>& words) noexcept {
  static_assert(sizeof words == sizeof(SHA256_CTX) && alignof(SHA256_CTX) == alignof(std::uint32_t));
  return reinterpret_cast<SHA256_CTX*>(words.data());
}

}  // namespace

Digest sha256(std::string_view bytes) {
  Digest out;
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(out.data(), &context);
  return out;
}

DigestBuilder::DigestBuilder() noexcept { SHA256_Init(as_context(context_)); }

DigestBuilder& DigestBuilder::add(std::string_view part) {
  add(static_cast<std::uint64_t>(part.size()));
  SHA256_Update(as_context(context_), part.data(), part.size());
  return *this;
}

DigestBuilder& DigestBuilder::add(std::uint64_t number) {
  std::uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  SHA256_Update(as_context(context_), bytes, sizeof bytes);
  return *this;
}

Digest DigestBuilder::finish() {
  Digest out;
  SHA256_Final(out.data(), as_context(context_));
  return out;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out(bytes.size() * 2, '0');
  char* digit = out.data();
  for (const std::uint8_t b : bytes) {
    *digit++ = kDigits[b >> 4];
    *digit++ = kDigits[b & 15];
  }
  return out;
}

std::optional<Digest> digest_from_hex(std::string_view text) {
  Digest out{};
  if (text.size() != 2 * out.size()) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    out[i / 2] = static_cast<std::uint8_t>(out[i / 2] << 4 | digit);
  }
  return out;
}

}  // namespace sosie::base
