// time_bound.h: questions whose right answer depends on when they are asked.
//
// Thread-safety: pure function.
#pragma once

#include <string_view>

namespace sosie::decide {

/// Whether the text speaks of the time at which it is asked: "today", "latest", "right now", "this week", "the weather
/// in Oslo", in English and in the plainest words of German, French, Spanish, Italian, Portuguese, Dutch, Chinese,
/// Japanese and Korean. Whole words in either case; code (quoted, called, parts of names) does not count, nor do the
/// words' obvious other meanings
/// ("current directory", "alternating current"). Of a long text only the two ends are read: a question stands before or
/// behind its material. Cost: about a microsecond for a question, ten for a page.
bool is_time_bound(std::string_view prompt);

}  // namespace sosie::decide
