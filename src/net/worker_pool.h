// worker_pool.h: threads for what blocks or computes, behind bounded queues.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/fenced.h"
#include "net/event.h"
#include "sosie/result.h"

namespace sosie::net {

/// Of the jobs that wait, the most urgent are begun first: `normal` where somebody waits for the result, `later` where nobody does,
/// `bulk` for large work, which comes in small jobs.
enum class Urgency { normal, later, bulk };

/// Thread-safety: every method may be called from any thread.
class WorkerPool {
 public:
  /// `max_queued`: of each urgency.
  WorkerPool(std::size_t threads, std::size_t max_queued);
  /// Joins.
  ~WorkerPool();

  /// Runs what is queued to its end. Idempotent; nothing may be submitted any more. Jobs report to their executors: join before those end.
  void join();

  /// False: the queue is full, and `job` will not run. What `job` throws is logged and goes no further.
  bool submit(std::function<void()> job, Urgency urgency = Urgency::normal);

  /// Normal jobs that wait.
  std::size_t queued() const noexcept;

  /// Runs `job` on a worker and waits for it. The job owns all that it uses: one that misses its deadline or is stopped is left
  /// behind, and not begun where it has not begun yet. `stop` is requested on the executor's thread.
  /// Errors: resource_exhausted (the queue is full, or the job found no memory), deadline_exceeded, cancelled (stopped), internal (the
  /// job threw something else).
  template <class T>
  Task<Result<T>> run(boost::asio::any_io_executor executor, std::function<T()> job, SteadyTime deadline,
                      Urgency urgency = Urgency::normal, std::stop_token stop = {}) {
    struct State {
      explicit State(const boost::asio::any_io_executor& on) : done(on) {}
      Event done;
      std::optional<Result<T>> value;  // the worker's, until `done` is set for it
      std::atomic<bool> abandoned{false};
    };
    auto state = std::make_shared<State>(executor);
    const bool accepted = submit(
        [state, executor, job = std::move(job)] {
          if (state->abandoned.load(std::memory_order_relaxed)) return;
          state->value.emplace(base::fenced(job));
          boost::asio::post(executor, [state] { state->done.set(); });
        },
        urgency);
    if (!accepted) co_return Error{ErrorCode::resource_exhausted, "too much work is waiting; try again later"};
    const std::stop_callback stopped(stop, [&state] { state->done.set(); });
    const bool in_time = co_await state->done.wait(deadline);
    if (!in_time || stop.stop_requested()) {
      state->abandoned.store(true, std::memory_order_relaxed);
      if (!in_time) co_return Error{ErrorCode::deadline_exceeded, "the work was not done in the time allowed"};
      co_return Error{ErrorCode::cancelled, "nobody waits for the work any more"};
    }
    co_return std::move(*state->value);
  }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
