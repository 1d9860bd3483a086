#include "gateway/request/go_duration.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>

namespace sosie::gateway {
namespace {

struct Unit {
  std::string_view name;
  double milliseconds;
};
// The longer of two that begin alike first.
constexpr std::array<Unit, 8> kUnits = {{{"ns", 1e-6},
                                         {"us", 1e-3},
                                         {"\u00b5s", 1e-3},
                                         {"\u03bcs", 1e-3},
                                         {"ms", 1},
                                         {"s", 1e3},
                                         {"m", 6e4},
                                         {"h", 3.6e6}}};

}  // namespace

std::optional<std::chrono::milliseconds> read_go_duration(std::string_view text) noexcept {
  constexpr double kLongest = 100.0 * 365 * 86'400'000;
  if (text.starts_with('+')) text.remove_prefix(1);
  if (text.empty()) return std::nullopt;
  double total = 0;
  while (!text.empty()) {
    if ((text[0] < '0' || text[0] > '9') && text[0] != '.') return std::nullopt;  // "inf", "-5s"
    double number = 0;
    const auto [end, failure] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (failure != std::errc{}) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    const auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [text](const Unit& each) { return text.starts_with(each.name); });
    if (unit == kUnits.end()) return std::nullopt;
    text.remove_prefix(unit->name.size());
    total += number * unit->milliseconds;
    if (!(total <= kLongest)) return std::nullopt;
  }
  return std::chrono::milliseconds(static_cast<std::int64_t>(total));
}

}  // namespace sosie::gateway
