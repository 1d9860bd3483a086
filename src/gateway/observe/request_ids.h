// request_ids.h: names of requests that nobody can guess, and that say which request of this process they name.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sosie::gateway {

/// Thread-safety: every method may be called from any thread.
class RequestIds {
 public:
  RequestIds();

  /// "req-" and 24 hex digits. The first is number 0.
  std::string next();

  /// The number of an id, modulo 2^32. Unset: it cannot be one of ours.
  std::optional<std::uint32_t> number_of(std::string_view id) const noexcept;

 private:
  std::array<std::uint64_t, 2> secret_;
  std::atomic<std::uint32_t> count_{0};
};

}  // namespace sosie::gateway
