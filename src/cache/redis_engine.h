// redis_engine.h: the two ways to drive a RedisCore: on the caller's thread, or on one of its own.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
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

/// Thread-safety: safe. The destructor waits for what was spawned; called by a completion, it leaves that to a thread of its own.
/// After a fork the child makes connections of its own: on those of its parent it would read another's answers.
class RedisEngine {
 public:
  template <class T>
  using Job = std::function<net::Task<Result<T>>(RedisPeer&)>;

  explicit RedisEngine(std::unique_ptr<RedisCore> core) : core_(std::move(core)), drivers_(new Drivers(*core_)) {}
  ~RedisEngine() {
    Drivers* last = drivers_.load();
    if (last->process != ::getpid()) return;  // the parent's; see `drivers`
    if (last->loop && last->loop->is_here()) {
      std::thread([last, core = std::move(core_)] { delete last; }).detach();
    } else {
      delete last;
    }
  }
  RedisEngine(const RedisEngine&) = delete;
  RedisEngine& operator=(const RedisEngine&) = delete;

  RedisCore& core() noexcept { return *core_; }

  /// Runs `job` on the caller's thread.
  template <class T>
  Result<T> block(const Job<T>& job) {
    return drivers().lanes.template run<T>(job, core_->redis_deadline());
  }

  /// Runs `job` on the engine's thread, started by the first call, and `done` with its result there too.
  template <class T>
  void spawn(Job<T> job, std::function<void(Result<T>)> done) {
    drivers().background().template spawn<T>(std::move(job), std::move(done));
  }

 private:
  static constexpr std::size_t kMaxQueued = 10'000;

  struct Drivers {
    explicit Drivers(RedisCore& the_core)
        : core(the_core),
          lanes(core.options().connection.pool_size, [this](net::Executor executor) { return core.make_peer(executor, nullptr); }) {}

    ~Drivers() {
      if (loop) loop->join();
      if (workers) workers->join();  // an embedding that missed its deadline still reports to the loop
    }

    net::Background<RedisPeer>& background() {
      std::call_once(started, [this] {
        const std::size_t threads = std::max(1u, std::thread::hardware_concurrency());
        if (core.options().embedder) workers = std::make_unique<net::WorkerPool>(threads, kMaxQueued);
        loop = std::make_unique<net::Background<RedisPeer>>([this](net::Executor executor) { return core.make_peer(executor, workers.get()); });
      });
      return *loop;
    }

    const ::pid_t process = ::getpid();
    RedisCore& core;
    net::Lanes<RedisPeer> lanes;
    std::once_flag started;
    std::unique_ptr<net::WorkerPool> workers;
    std::unique_ptr<net::Background<RedisPeer>> loop;
  };

  Drivers& drivers() {
    Drivers* current = drivers_.load(std::memory_order_acquire);
    if (current->process == ::getpid()) return *current;
    // The parent's are left alone for good: their threads do not exist here, and their locks may be held.
    auto* fresh = new Drivers(*core_);
    if (drivers_.compare_exchange_strong(current, fresh)) return *fresh;
    delete fresh;
    return *current;
  }

  std::unique_ptr<RedisCore> core_;
  std::atomic<Drivers*> drivers_;
};

}  // namespace sosie::cache
