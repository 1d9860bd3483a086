// harmless.h: replacements of a normaliser that take nothing from a text's meaning.
//
// Thread-safety: pure functions.
#pragma once

#include <string_view>

namespace sosie::text {

/// Whether `after` says what `before` says: equal but for letter case, white space, and other shapes of the same characters (wide and narrow,
/// ligatures, abbreviations in one character, composed or not). Not: superscripts, subscripts, circled letters, fractions and letters of
/// mathematical alphabets read as plain ones; nothing in the place of something. REQUIRES: both are UTF-8, and short.
bool is_harmless(std::string_view before, std::string_view after);

}  // namespace sosie::text
