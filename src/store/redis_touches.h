// redis_touches.h: hits that the server has yet to hear of.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace sosie::store {

/// Collects touches, so that they can go along with what is sent next. Bounded: beyond that, a hit is not counted.
///
/// Thread-safety: safe.
class RedisTouches {
 public:
  void add(std::string_view id, std::int64_t now_ms);

  bool any() const;

  /// The oldest ones, which are then no longer here: id and time in turn, as `RedisScripts::touch` has it.
  std::vector<std::string> take();

  std::atomic<bool> script_is_known{false};  ///< The server has been told the script; it may forget it.

 private:
  static constexpr std::size_t kMostPending = 4096, kMostAtOnce = 256;

  struct Touch {
    std::string id;
    std::int64_t at_ms;
  };

  mutable std::mutex mutex_;
  std::deque<Touch> pending_;
};

}  // namespace sosie::store
