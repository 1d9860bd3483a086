// timestamps.h: times as RFC 3339 writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "sosie/entry.h"

namespace sosie::app {

/// "2026-11-24T12:00:00.123Z". Unset: not between the years 0 and 9999.
std::optional<std::string> format_timestamp(TimePoint time);

/// Any fraction of a second (beyond milliseconds it is cut), Z or an offset. Unset: not a time.
std::optional<TimePoint> parse_timestamp(std::string_view text);

}  // namespace sosie::app
