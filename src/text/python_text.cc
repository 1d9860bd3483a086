#include "text/python_text.h"

#include <simdjson.h>

namespace sosie::text {
namespace {

bool is_python_space(char32_t point) noexcept {
  if (point < 0x80) return (point >= 0x09 && point <= 0x0D) || (point >= 0x1C && point <= 0x20);
  return point == 0x85 || point == 0xA0 || point == 0x1680 || (point >= 0x2000 && point <= 0x200A) || point == 0x2028 ||
         point == 0x2029 || point == 0x202F || point == 0x205F || point == 0x3000;
}

bool is_continuation(char c) noexcept { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

Decoded decode_python_at(std::string_view text, std::size_t at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (byte(0) == 0xED && at + 2 < text.size() && byte(1) >= 0xA0 && is_continuation(text[at + 1]) &&
      is_continuation(text[at + 2])) {
    return {0xD000U | ((byte(1) & 0x3FU) << 6) | (byte(2) & 0x3FU), 3};
  }
  return decode_at(text, at);
}

std::string_view strip_python(std::string_view text) noexcept {
  while (!text.empty()) {
    const Decoded first = decode_at(text, 0);
    if (!is_python_space(first.point)) break;
    text.remove_prefix(first.bytes);
  }
  while (!text.empty()) {
    std::size_t at = text.size() - 1;
    while (at > 0 && text.size() - at < 4 && is_continuation(text[at])) --at;
    const Decoded last = decode_at(text, at);
    if (at + last.bytes != text.size() || !is_python_space(last.point)) break;
    text.remove_suffix(last.bytes);
  }
  return text;
}

std::string without_invalid_utf8(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    const std::string_view bytes = text.substr(at, next.bytes);
    if (next.point != kReplacement || bytes == "\xEF\xBF\xBD") out.append(bytes);
    at += next.bytes;
  }
  return out;
}

std::string with_replacements(std::string text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return text;
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_python_at(text, at);
    append_utf8(is_surrogate(next.point) ? kReplacement : next.point, out);
    at += next.bytes;
  }
  return out;
}

}  // namespace sosie::text
