// clock.h: time as a value that is given, never taken.
#pragma once

#include <functional>

#include "sosie/entry.h"

namespace sosie::base {

using Clock = std::function<TimePoint()>;

/// The system clock, cut to milliseconds.
inline TimePoint system_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

}  // namespace sosie::base
