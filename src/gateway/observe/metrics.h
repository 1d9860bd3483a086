// metrics.h: counters of the gateway, and their Prometheus text.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/reply/outcome.h"
#include "net/http_client.h"
#include "protocol/question.h"
#include "sosie/cache.h"

namespace sosie::gateway {

enum class Route { chat, completions, responses, messages, embeddings, models, langcache, explain, forward, health, metrics, other };
inline constexpr std::array<std::string_view, 12> kRouteNames = {"chat",      "completions", "responses", "messages",
                                                                 "embeddings", "models",     "langcache", "explain",
                                                                 "forward",   "health",      "metrics",   "other"};

inline constexpr std::array<std::string_view, 7> kClientFailureNames = {"connect",   "timeout",   "cut",    "malformed",
                                                                        "too_large", "cancelled", "refused"};

/// Observations in fixed buckets, 50 us to 60 s.
class Histogram {
 public:
  void observe(std::chrono::nanoseconds time) noexcept;
  void append(std::string& out, std::string_view name, std::string_view labels) const;
  bool empty() const noexcept { return count_.load(std::memory_order_relaxed) == 0; }

 private:
  static constexpr std::array<double, 14> kBounds = {50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3,
                                                     10e-3, 50e-3,  250e-3, 1,      5,    15,     60};
  std::array<std::atomic<std::uint64_t>, kBounds.size() + 1> buckets_{};
  std::atomic<std::uint64_t> count_{0};
  std::atomic<std::uint64_t> sum_ns_{0};
};

/// The status that figures give a request whose caller left before it was answered; the number that nginx made customary.
inline constexpr int kCallerLeft = 499;

/// Thread-safety: every method may be called from any thread. Labels come from closed sets only.
class Metrics {
 public:
  using Counter = std::atomic<std::uint64_t>;

  void request(Route route, int status, std::chrono::nanoseconds time) noexcept;
  void answered(protocol::Surface api, const Outcome& outcome) noexcept;
  void langcache_hit(Layer layer) noexcept { add(langcache_hits_[static_cast<std::size_t>(layer)]); }
  void langcache_miss() noexcept { add(langcache_misses_); }
  void upstream_failure(net::ClientFailure kind) noexcept { add(upstream_failures_[static_cast<std::size_t>(kind)]); }
  void upstream_call() noexcept { add(upstream_calls_); }
  void stored() noexcept { add(stored_); }
  void not_kept() noexcept { add(not_kept_); }
  void store_failed() noexcept { add(store_failures_); }

  struct Gauges {
    std::size_t connections = 0, queued = 0, upstream_calls = 0, held_bytes = 0;
    std::uint64_t ended_readers = 0;
  };
  /// The exposition, text format 0.0.4. Without `stats` (the store does not say) the cache's own families are left out.
  std::string render(const std::optional<CacheStats>& stats, const Gauges& gauges) const;

  std::atomic<std::int64_t> in_flight{0};

 private:
  static void add(Counter& counter) noexcept { counter.fetch_add(1, std::memory_order_relaxed); }

  static constexpr int kFirstStatus = 100, kStatuses = 500;
  std::array<std::array<Counter, kStatuses>, kRouteNames.size()> requests_{};
  std::array<Histogram, kRouteNames.size()> times_{};
  std::array<std::array<Counter, 2>, protocol::kSurfaces> hits_{};
  std::array<Counter, protocol::kSurfaces> coalesced_{};
  std::array<std::array<Counter, decide::kReasons>, protocol::kSurfaces> uncached_{};
  std::array<Counter, 2> langcache_hits_{};
  std::array<Counter, kClientFailureNames.size()> upstream_failures_{};
  Counter langcache_misses_{0}, upstream_calls_{0}, stored_{0}, not_kept_{0}, store_failures_{0};
};

}  // namespace sosie::gateway
