// worker_pool.h: threads for what blocks or computes, behind bounded queues.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <utility>

#include "net/pending.h"
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
    auto pending = std::make_shared<Pending<T>>(std::move(executor));
    const bool accepted = submit(
        [pending, job = std::move(job)] {
          if (!pending->abandoned()) pending->set(job);
        },
        urgency);
    if (!accepted) co_return Pending<T>::too_much();
    auto result = co_await pending->wait(deadline, std::move(stop));
    co_return result;
  }

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sosie::net
