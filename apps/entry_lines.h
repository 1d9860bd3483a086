// entry_lines.h: an entry as a line of JSON, for `sosie export` and `sosie import` (docs/import.md).
#pragma once

#include <string>
#include <string_view>

#include "sosie/entry.h"
#include "sosie/result.h"

namespace sosie::app {

/// Without a line end. Lossless: bytes that are not UTF-8 are written as {"hex": "…"}.
std::string entry_to_line(const Entry& entry);

/// The id is not read: it follows from the others. Without a time of creation: `now`.
/// Errors: invalid_argument (names the member).
Result<Entry> entry_from_line(std::string_view line, TimePoint now);

}  // namespace sosie::app
