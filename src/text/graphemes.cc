#include "text/graphemes.h"

#include <algorithm>
#include <iterator>

namespace sosie::text {
namespace {

// extend_alone extends a grapheme, but does not stand between linked consonants.
enum class Class : std::uint8_t { other, cr, lf, control, extend, extend_alone, linker, zwj, spacing, prepend, l, v, t, lv, lvt, pictograph, consonant };

struct Range {
  std::uint32_t first, last;
  Class kind;
};

#include "text/grapheme_tables.inc"

Class class_of(char32_t point) noexcept {
  if (point < 0x80) {
    if (point >= 0x20 && point != 0x7F) return Class::other;
    return point == U'\r' ? Class::cr : point == U'\n' ? Class::lf : Class::control;
  }
  const auto* after = std::upper_bound(std::begin(kClasses), std::end(kClasses), point, [](char32_t p, const Range& row) { return p < row.first; });
  if (after == std::begin(kClasses) || point > after[-1].last) return Class::other;
  // Syllables without a final consonant: every 28th.
  if (after[-1].kind == Class::lvt && (point - after[-1].first) % 28 == 0) return Class::lv;
  return after[-1].kind;
}

bool is_break(Class class_) noexcept { return class_ == Class::cr || class_ == Class::lf || class_ == Class::control; }
bool extends(Class class_) noexcept {
  return class_ == Class::extend || class_ == Class::extend_alone || class_ == Class::linker || class_ == Class::zwj || class_ == Class::spacing;
}

// Rules GB3 to GB9b of Unicode Standard Annex #29. Regional indicators are left out: two of them have 8 bytes, and nobody asks where a
// grapheme of 6 or more bytes ends.
bool always_joined(Class before, Class after) noexcept {
  if (before == Class::cr && after == Class::lf) return true;
  if (is_break(before) || is_break(after)) return false;
  if (extends(after) || before == Class::prepend) return true;
  switch (before) {
    case Class::l: return after == Class::l || after == Class::v || after == Class::lv || after == Class::lvt;
    case Class::lv:
    case Class::v: return after == Class::v || after == Class::t;
    case Class::lvt:
    case Class::t: return after == Class::t;
    default: return false;
  }
}

}  // namespace

bool GraphemeBreaker::begins(char32_t point) noexcept {
  const Class after = class_of(point);
  const bool joined = !first_ && (always_joined(static_cast<Class>(before_), after) || (joins_pictograph_ && after == Class::pictograph) ||
                                  (joins_consonant_ && after == Class::consonant));
  const bool between_pictographs = after == Class::extend || after == Class::extend_alone || after == Class::linker;
  joins_pictograph_ = after_pictograph_ && after == Class::zwj;
  after_pictograph_ = after == Class::pictograph || (after_pictograph_ && between_pictographs);
  const bool between_consonants = after == Class::extend || after == Class::linker || after == Class::zwj;
  joins_consonant_ = after_consonant_ && (after == Class::linker || (joins_consonant_ && between_consonants));
  after_consonant_ = after == Class::consonant || (after_consonant_ && between_consonants);
  before_ = static_cast<std::uint8_t>(after);
  first_ = false;
  return !joined;
}

}  // namespace sosie::text
