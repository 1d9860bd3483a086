// unicode_names.h: characters by name, for Python's "\N{name}".
#pragma once

#include <optional>
#include <string_view>

namespace sosie::text {

/// The character of that name or alias in Unicode 14, as CPython 3.11 looks it up: letters of either case, but capitals
/// for the names that are made by rule (ideographs, Hangul syllables). Names are known by a 32-bit hash: a name that
/// does not exist is taken for one that does about once in 100,000. Thread-safe; the first call takes some
/// milliseconds.
std::optional<char32_t> point_of_name(std::string_view name);

}  // namespace sosie::text
