// backoff.h: how long to leave a broken peer alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <random>

namespace sosie::net {

/// Exponential with jitter: after the n-th failure in a row nobody tries for (half to all of) min(first x 2^(n-1),
/// longest). Then one caller at a time tries; a success ends it. Failures of callers that had all been let in count as
/// one. Thread-safety: safe. Time is given.
class Backoff {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Backoff(std::chrono::milliseconds first = std::chrono::milliseconds{50},
                   std::chrono::milliseconds longest = std::chrono::milliseconds{2'000},
                   std::uint32_t seed = std::random_device{}());

  /// Whether the peer may be tried now.
  bool allows(Time now);
  void failed(Time now);
  void succeeded();
  /// Of one that was let in and learnt nothing: another may try in its place.
  void abandoned(Time now);

  /// How long until somebody may try; 0: now.
  std::chrono::milliseconds wait(Time now);

 private:
  const std::chrono::milliseconds first_, longest_;
  std::mutex mutex_;
  std::minstd_rand random_;
  unsigned failures_ = 0;
  bool trying_ = false;
  Time until_{};
};

}  // namespace sosie::net
