#include "gateway/observe/request_ids.h"

#include <bit>
#include <charconv>
#include <random>

namespace sosie::gateway {
namespace {

constexpr std::string_view kIdPrefix = "req-";
constexpr std::size_t kTagDigits = 16, kMaskedDigits = 8;

/// SipHash-2-4 of one number: whoever does not know the key can predict none of its values.
std::uint64_t sip_hash(const std::array<std::uint64_t, 2>& key, std::uint64_t message) noexcept {
  std::uint64_t a = key[0] ^ 0x736f6d6570736575, b = key[1] ^ 0x646f72616e646f6d, c = key[0] ^ 0x6c7967656e657261,
                d = key[1] ^ 0x7465646279746573;
  const auto mix = [&](int rounds) {
    for (; rounds > 0; --rounds) {
      a += b;
      b = std::rotl(b, 13) ^ a;
      a = std::rotl(a, 32);
      c += d;
      d = std::rotl(d, 16) ^ c;
      a += d;
      d = std::rotl(d, 21) ^ a;
      c += b;
      b = std::rotl(b, 17) ^ c;
      c = std::rotl(c, 32);
    }
  };
  for (const std::uint64_t block : {message, std::uint64_t{8} << 56}) {
    d ^= block;
    mix(2);
    a ^= block;
  }
  c ^= 0xff;
  mix(4);
  return a ^ b ^ c ^ d;
}

/// Hides the number, so that an id does not tell how many requests there were.
std::uint32_t mask_of(const std::array<std::uint64_t, 2>& key, std::uint64_t tag) noexcept {
  return static_cast<std::uint32_t>(sip_hash({key[1], key[0]}, tag));
}

void append_hex(std::string& out, std::uint64_t number, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  while (digits-- > 0) out.push_back(kDigits[number >> (4 * digits) & 15]);
}

template <class Number>
bool read_hex(std::string_view digits, Number& number) noexcept {
  for (const char c : digits)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'f')) return false;
  return std::from_chars(digits.data(), digits.data() + digits.size(), number, 16).ec == std::errc{};
}

}  // namespace

RequestIds::RequestIds() {
  std::random_device device;
  for (std::uint64_t& half : secret_) half = (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string RequestIds::next() {
  const std::uint32_t number = count_.fetch_add(1, std::memory_order_relaxed);
  const std::uint64_t tag = sip_hash(secret_, number);
  std::string id;
  id.reserve(kIdPrefix.size() + kTagDigits + kMaskedDigits);
  id.append(kIdPrefix);
  append_hex(id, tag, kTagDigits);
  append_hex(id, number ^ mask_of(secret_, tag), kMaskedDigits);
  return id;
}

std::optional<std::uint32_t> RequestIds::number_of(std::string_view id) const noexcept {
  if (id.size() != kIdPrefix.size() + kTagDigits + kMaskedDigits || !id.starts_with(kIdPrefix)) return std::nullopt;
  std::uint64_t tag = 0;
  std::uint32_t masked = 0;
  if (!read_hex(id.substr(kIdPrefix.size(), kTagDigits), tag) ||
      !read_hex(id.substr(kIdPrefix.size() + kTagDigits), masked))
    return std::nullopt;
  const std::uint32_t number = masked ^ mask_of(secret_, tag);
  if (sip_hash(secret_, number) != tag) return std::nullopt;
  return number;
}

}  // namespace sosie::gateway
