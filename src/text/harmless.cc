#include "text/harmless.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "text/bert_unicode.h"
#include "text/utf8.h"

namespace sosie::text {
namespace {

bool tells_apart(char32_t point) noexcept {
  switch (utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->decomp_type) {
    case UTF8PROC_DECOMP_TYPE_SUPER:
    case UTF8PROC_DECOMP_TYPE_SUB:
    case UTF8PROC_DECOMP_TYPE_CIRCLE:
    case UTF8PROC_DECOMP_TYPE_FRACTION:
    case UTF8PROC_DECOMP_TYPE_FONT: return true;
    default: return false;
  }
}

template <typename Holds>
bool all_points(std::string_view text, Holds holds) {
  for (std::size_t at = 0; at < text.size();) {
    const Decoded next = decode_at(text, at);
    if (!holds(next.point)) return false;
    at += next.bytes;
  }
  return true;
}

// Compatibility decomposition with letter case folded.
std::string plain(std::string_view text) {
  utf8proc_uint8_t* mapped = nullptr;
  const auto size = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()), &mapped,
                                 static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD));
  std::string out = size < 0 ? std::string(text) : std::string(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
  std::free(mapped);
  return out;
}

}  // namespace

bool is_harmless(std::string_view before, std::string_view after) {
  if (before == after) return true;
  if (after.empty()) return false;
  if (all_points(before, bert::is_space)) return all_points(after, bert::is_space);
  return all_points(before, [](char32_t point) { return !tells_apart(point); }) && plain(before) == plain(after);
}

}  // namespace sosie::text
