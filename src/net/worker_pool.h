// worker_pool.h: threads for what blocks or computes, behind a bounded queue.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>

#include "net/event.h"
#include "sosie/result.h"

namespace sosie::net {

/// Thread-safety: every method may be called from any thread.
class WorkerPool {
 public:
  WorkerPool(std::size_t threads, std::size_t max_queued);
  /// Joins.
  ~WorkerPool();

  /// Runs what is queued to its end. Idempotent; nothing may be submitted any more. Jobs report to their executors: join before those end.
  void join();

  /// False: the queue is full, and `job` will not run. `job` throws nothing.
  bool submit(std::function<void()> job);

  std::size_t queued() const noexcept;

  /// Runs `job` on a worker and waits for it. The job owns all that it uses: one that misses its deadline is left behind,
  /// and not begun where it has not begun yet.
  /// Errors: resource_exhausted (the queue is full), deadline_exceeded.
  template <class T>
  Task<Result<T>> run(boost::asio::any_io_executor executor, std::function<T()> job, SteadyTime deadline) {
    struct State {
      explicit State(const boost::asio::any_io_executor& on) : done(on) {}
      Event done;
      std::optional<T> value;
      std::atomic<bool> abandoned{false};
    };
    auto state = std::make_shared<State>(executor);
    const bool accepted = submit([state, executor, job = std::move(job)] {
      if (state->abandoned.load(std::memory_order_relaxed)) return;
      auto value = std::make_shared<T>(job());
      boost::asio::post(executor, [state, value = std::move(value)] {
        state->value = std::move(*value);
        state->done.set();
      });
    });
    if (!accepted) co_return Error{ErrorCode::resource_exhausted, "too much work is waiting; try again later"};
    const bool in_time = co_await state->done.wait(deadline);
    if (!in_time) {
      state->abandoned.store(true, std::memory_order_relaxed);
      co_return Error{ErrorCode::deadline_exceeded, "the work was not done in the time allowed"};
    }
    co_return std::move(*state->value);
  }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
