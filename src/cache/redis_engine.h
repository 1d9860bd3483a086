// redis_engine.h: the two ways to drive a RedisCore: on the caller's thread, or on one of its own.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "cache/redis_core.h"
#include "net/background.h"
#include "net/lanes.h"
#include "net/worker_pool.h"

namespace sosie::cache {

/// Thread-safety: safe. The destructor waits for what was spawned.
class RedisEngine {
 public:
  template <class T>
  using Job = std::function<net::Task<Result<T>>(RedisPeer&)>;

  explicit RedisEngine(std::unique_ptr<RedisCore> core)
      : core_(std::move(core)),
        lanes_(core_->options().connection.pool_size, [this](net::Executor executor) { return core_->make_peer(executor, nullptr); }) {}

  RedisCore& core() noexcept { return *core_; }

  /// Runs `job` on the caller's thread.
  template <class T>
  Result<T> block(const Job<T>& job) {
    return lanes_.run<T>(job, core_->redis_deadline());
  }

  /// Runs `job` on the engine's thread, started by the first call, and `done` with its result there too.
  template <class T>
  void spawn(Job<T> job, std::function<void(Result<T>)> done) {
    std::call_once(started_, [this] {
      const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
      if (core_->options().embedder) workers_ = std::make_unique<net::WorkerPool>(threads, kMaxQueued);
      background_ = std::make_unique<net::Background<RedisPeer>>(
          [this](net::Executor executor) { return core_->make_peer(executor, workers_.get()); });
    });
    background_->spawn<T>(std::move(job), std::move(done));
  }

 private:
  static constexpr std::size_t kMaxQueued = 10'000;

  std::unique_ptr<RedisCore> core_;
  net::Lanes<RedisPeer> lanes_;
  std::once_flag started_;
  std::unique_ptr<net::WorkerPool> workers_;  // outlives the loop that its jobs report to
  std::unique_ptr<net::Background<RedisPeer>> background_;
};

}  // namespace sosie::cache
