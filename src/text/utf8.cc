#include "text/utf8.h"

#include <utf8proc.h>

namespace sosie::text {
namespace {

// Bytes of the sequence that `lead` opens and the bounds of its second byte; 0: not a lead byte (Unicode, table 3-7).
struct Lead {
  std::size_t bytes;
  unsigned char low, high;
};

Lead lead_of(unsigned char lead) noexcept {
  if (lead < 0x80) return {1, 0, 0};
  if (lead < 0xC2) return {0, 0, 0};
  if (lead < 0xE0) return {2, 0x80, 0xBF};
  if (lead == 0xE0) return {3, 0xA0, 0xBF};
  if (lead == 0xED) return {3, 0x80, 0x9F};
  if (lead < 0xF0) return {3, 0x80, 0xBF};
  if (lead == 0xF0) return {4, 0x90, 0xBF};
  if (lead < 0xF4) return {4, 0x80, 0xBF};
  if (lead == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

// A decoded code point, and whether the bytes were UTF-8 (a literal U+FFFD is).
struct Step {
  Decoded decoded;
  bool valid;
};

Step step(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char first = byte(0);
  const Lead lead = lead_of(first);
  if (lead.bytes == 1) return {{first, 1}, true};
  if (lead.bytes == 0) return {{kReplacement, 1}, false};
  char32_t point = first & (0xFFU >> (lead.bytes + 1));
  for (std::size_t i = 1; i < lead.bytes; ++i) {
    if (at + i >= text.size()) return {{kReplacement, i}, false};
    const unsigned char low = i == 1 ? lead.low : 0x80;
    const unsigned char high = i == 1 ? lead.high : 0xBF;
    if (byte(i) < low || byte(i) > high) return {{kReplacement, i}, false};
    point = (point << 6) | (byte(i) & 0x3FU);
  }
  return {{point, lead.bytes}, true};
}

}  // namespace

Decoded decode_at(std::string_view text, std::size_t at) noexcept { return step(text, at).decoded; }

bool validate_utf8(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const Step next = step(text, at);
    if (!next.valid) return false;
    at += next.decoded.bytes;
  }
  return true;
}

void append_utf8(char32_t point, std::string& out) {
  const auto put = [&](char32_t bits) { out.push_back(static_cast<char>(bits)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | (point >> 6));
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | (point >> 12));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | (point >> 18));
    put(0x80 | ((point >> 12) & 0x3F));
    put(0x80 | ((point >> 6) & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

std::string_view prefix_of(std::string_view text, std::size_t bytes) noexcept {
  if (bytes >= text.size()) return text;
  while (bytes > 0 && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) --bytes;
  return text.substr(0, bytes);
}

std::string case_fold(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    at += next.bytes;
    if (next.point < 0x80) {
      const char c = static_cast<char>(next.point);
      out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c);
      continue;
    }
    utf8proc_int32_t folded[8];
    int boundary = 0;
    const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(next.point), folded, 8, UTF8PROC_CASEFOLD, &boundary);
    if (count <= 0 || count > 8) {
      append_utf8(next.point, out);
      continue;
    }
    for (utf8proc_ssize_t i = 0; i < count; ++i) append_utf8(static_cast<char32_t>(folded[i]), out);
  }
  return out;
}

bool is_blank(std::string_view text) noexcept {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    at += next.bytes;
    if (next.point >= 0xFE00 && next.point <= 0xFE0F) continue;  // Variation selectors.
    switch (utf8proc_category(static_cast<utf8proc_int32_t>(next.point))) {
      case UTF8PROC_CATEGORY_CC:
      case UTF8PROC_CATEGORY_CF:
      case UTF8PROC_CATEGORY_ZS:
      case UTF8PROC_CATEGORY_ZL:
      case UTF8PROC_CATEGORY_ZP:
        continue;
      default:
        return false;
    }
  }
  return true;
}

}  // namespace sosie::text
