#include "text/bert_unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace sosie::text::bert {
namespace {

struct Range {
  std::uint32_t first, last;
};
// Every `step`th code point of first..last has its lower case `delta` further on.
struct LowerRun {
  std::uint32_t first, last;
  int step, delta;
};

#include "text/bert_unicode_tables.inc"

template <class Row, std::size_t n>
const Row* find(const Row (&table)[n], char32_t point) noexcept {
  const Row* after = std::upper_bound(table, table + n, point, [](char32_t p, const Row& row) { return p < row.first; });
  if (after == table || point > after[-1].last) return nullptr;
  return after - 1;
}

}  // namespace

bool is_removed(char32_t point) noexcept { return find(kRemoved, point) != nullptr; }
bool is_space(char32_t point) noexcept { return find(kSpaces, point) != nullptr; }
bool is_mark(char32_t point) noexcept { return point >= 0x300 && find(kMarks, point) != nullptr; }
bool is_punctuation(char32_t point) noexcept { return find(kPunctuation, point) != nullptr; }
bool is_chinese(char32_t point) noexcept { return point >= 0x3400 && find(kChinese, point) != nullptr; }

void append_lower(char32_t point, std::u32string& out) {
  if (point == 0x130) {  // Capital I with dot above.
    out += U"i\u0307";
    return;
  }
  const LowerRun* run = find(kLower, point);
  const bool moves = run != nullptr && (point - run->first) % static_cast<std::uint32_t>(run->step) == 0;
  out.push_back(moves ? static_cast<char32_t>(static_cast<std::int64_t>(point) + run->delta) : point);
}

void append_decomposed(char32_t point, std::u32string& out) {
  if (point < 0xC0 || find(kUndecomposed, point) != nullptr) {
    out.push_back(point);
    return;
  }
  utf8proc_int32_t parts[8];
  int boundary = 0;
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(point), parts, 8, UTF8PROC_DECOMPOSE, &boundary);
  if (count <= 0 || count > 8) {
    out.push_back(point);
    return;
  }
  for (utf8proc_ssize_t i = 0; i < count; ++i) out.push_back(static_cast<char32_t>(parts[i]));
}

int combining_class(char32_t point) noexcept {
  if (point < 0x300) return 0;
  return utf8proc_get_property(static_cast<utf8proc_int32_t>(point))->combining_class;
}

}  // namespace sosie::text::bert
