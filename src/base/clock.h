// clock.h: time as a value that is given, never taken.
#pragma once

#include <cstdint>
#include <functional>

#include "sosie/entry.h"

namespace sosie::base {

using Clock = std::function<TimePoint()>;

/// The system clock, cut to milliseconds.
inline TimePoint system_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

/// Since 1970, UTC.
inline std::int64_t unix_milliseconds(TimePoint time) noexcept { return time.time_since_epoch().count(); }

}  // namespace sosie::base
