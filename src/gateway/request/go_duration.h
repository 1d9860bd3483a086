// go_duration.h: lengths of time as Go's programs read them.
#pragma once

#include <chrono>
#include <optional>
#include <string_view>

namespace sosie::gateway {

/// "30s", "5m", "1h30m", "1.5h", "250ms". Unset: not such a length, negative, or over 100 years. Thread-safety: a pure
/// function.
std::optional<std::chrono::milliseconds> read_go_duration(std::string_view text) noexcept;

}  // namespace sosie::gateway
