#include "base/digest.h"

#include <openssl/evp.h>

#include <cstdlib>
#include <cstring>

namespace sosie::base {
namespace {

// Fetched once: OpenSSL 3 otherwise looks the algorithm up, under a lock, at every use.
const EVP_MD* algorithm() {
  static const EVP_MD* const md = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  if (md == nullptr) std::abort();  // libcrypto without SHA-256: nothing here can work.
  return md;
}

EVP_MD_CTX* as_context(void* p) { return static_cast<EVP_MD_CTX*>(p); }

}  // namespace

Digest sha256(std::string_view bytes) {
  Digest out;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), nullptr, algorithm(), nullptr);
  return out;
}

DigestBuilder::DigestBuilder() : context_(EVP_MD_CTX_new()) {
  EVP_DigestInit_ex2(as_context(context_), algorithm(), nullptr);
}

DigestBuilder::~DigestBuilder() { EVP_MD_CTX_free(as_context(context_)); }

DigestBuilder& DigestBuilder::add(std::string_view part) {
  add(static_cast<std::uint64_t>(part.size()));
  EVP_DigestUpdate(as_context(context_), part.data(), part.size());
  return *this;
}

DigestBuilder& DigestBuilder::add(std::uint64_t number) {
  std::uint8_t bytes[8];
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<std::uint8_t>(number >> (8 * i));
  EVP_DigestUpdate(as_context(context_), bytes, sizeof bytes);
  return *this;
}

Digest DigestBuilder::finish() {
  Digest out;
  EVP_DigestFinal_ex(as_context(context_), out.data(), nullptr);
  return out;
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::uint8_t b : bytes) {
    out.push_back(kDigits[b >> 4]);
    out.push_back(kDigits[b & 15]);
  }
  return out;
}

}  // namespace sosie::base
