#include "timestamps.h"

#include <charconv>
#include <chrono>
#include <cstdio>

namespace sosie::app {
namespace {

using namespace std::chrono;

/// Takes `digits` digits and, behind them, `mark` (if it is not 0) from the front.
std::optional<int> take(std::string_view& text, std::size_t digits, char mark) {
  if (text.size() < digits + (mark != 0 ? 1 : 0)) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < digits; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  if (mark == 0) return value;
  if (text.front() != mark) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

milliseconds take_fraction(std::string_view& text) {
  int scale = 100, value = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    value += (text.front() - '0') * scale;
    scale /= 10;
    text.remove_prefix(1);
  }
  return milliseconds(value);
}

/// What to subtract.
std::optional<minutes> take_offset(std::string_view text) {
  if (text == "Z" || text == "z") return minutes(0);
  if (text.empty() || (text.front() != '+' && text.front() != '-')) return std::nullopt;
  const int sign = text.front() == '-' ? -1 : 1;
  text.remove_prefix(1);
  const auto hour = take(text, 2, ':'), minute = take(text, 2, 0);
  if (!hour || !minute || !text.empty() || *hour > 23 || *minute > 59) return std::nullopt;
  return minutes(sign * (*hour * 60 + *minute));
}

}  // namespace

std::optional<std::string> format_timestamp(TimePoint time) {
  // Asked before the calendar, whose years are small numbers.
  if (time < TimePoint(sys_days(year(0) / 1 / 1)) || time >= TimePoint(sys_days(year(10000) / 1 / 1))) return std::nullopt;
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> clock(time - day);
  char text[40];
  std::snprintf(text, sizeof text, "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
                static_cast<int>(clock.seconds().count()), static_cast<int>(clock.subseconds().count()));
  return text;
}

std::optional<TimePoint> parse_timestamp(std::string_view text) {
  const auto year_part = take(text, 4, '-'), month_part = take(text, 2, '-'), day_part = take(text, 2, 0);
  if (!year_part || !month_part || !day_part || text.empty() ||
      (text.front() != 'T' && text.front() != 't' && text.front() != ' '))
    return std::nullopt;
  text.remove_prefix(1);
  const auto hour = take(text, 2, ':'), minute = take(text, 2, ':'), second = take(text, 2, 0);
  const year_month_day date(year(*year_part), month(static_cast<unsigned>(*month_part)),
                            day(static_cast<unsigned>(*day_part)));
  if (!date.ok() || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;
  milliseconds fraction{0};
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    if (text.empty() || text.front() < '0' || text.front() > '9') return std::nullopt;
    fraction = take_fraction(text);
  }
  const auto offset = take_offset(text);
  if (!offset) return std::nullopt;
  return TimePoint(sys_days(date)) + hours(*hour) + minutes(*minute) + seconds(*second) + fraction - *offset;
}

}  // namespace sosie::app
