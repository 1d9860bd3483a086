#include "text/ignorable.h"

#include <utf8proc.h>

#include "text/utf8.h"

namespace sosie::text {
namespace {

constexpr char32_t kSoftHyphen = 0xAD, kByteOrderMark = 0xFEFF, kTextStyle = 0xFE0E, kEmojiStyle = 0xFE0F;

bool is_emoji(char32_t point) noexcept {
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->boundclass == UTF8PROC_BOUNDCLASS_EXTENDED_PICTOGRAPHIC;
}

/// The code point that ends at byte `at`; 0: there is none.
char32_t point_before(std::string_view text, std::size_t at) noexcept {
  std::size_t begin = at;
  while (begin > 0 && at - begin < 4) {
    --begin;
    if ((static_cast<unsigned char>(text[begin]) & 0xC0) != 0x80) break;
  }
  if (begin == at) return 0;
  const Decoded before = decode_at(text, begin);
  return begin + before.bytes == at ? before.point : 0;
}

}  // namespace

bool is_ignorable(std::string_view text, std::size_t at, char32_t point) noexcept {
  switch (point) {
    case kSoftHyphen: return true;
    case kByteOrderMark: return at == 0;
    case kTextStyle:
    case kEmojiStyle: return is_emoji(point_before(text, at));
    default: return false;
  }
}

std::string without_ignorable(std::string_view text, std::size_t begin, std::size_t end) {
  std::string kept;
  kept.reserve(end - begin);
  for (std::size_t at = begin; at < end;) {
    const Decoded next = decode_at(text, at);
    if (!is_ignorable(text, at, next.point)) kept.append(text.substr(at, next.bytes));
    at += next.bytes;
  }
  return kept;
}

}  // namespace sosie::text
