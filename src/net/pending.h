// pending.h: a value that another thread makes for a coroutine.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <utility>

#include "base/fenced.h"
#include "net/event.h"
#include "sosie/result.h"

namespace sosie::net {

/// Shared by who waits and who works. Thread-safety: `wait` on the executor's thread, the rest on any.
template <class T>
class Pending : public std::enable_shared_from_this<Pending<T>> {
 public:
  explicit Pending(boost::asio::any_io_executor executor) : executor_(executor), done_(executor) {}

  /// Nobody waits for it any more: what has not been begun need not be.
  bool abandoned() const noexcept { return abandoned_.load(std::memory_order_relaxed); }

  /// Runs `make`, which returns the value, and wakes who waits. Once.
  template <class F>
  void set(F&& make) {
    value_.emplace(base::fenced(std::forward<F>(make)));
    boost::asio::post(executor_, [self = this->shared_from_this()] { self->done_.set(); });
  }

  /// Once. `stop` is requested on the executor's thread.
  /// Errors: deadline_exceeded, cancelled (stopped), resource_exhausted (`make` found no memory), internal (it threw something else).
  Task<Result<T>> wait(SteadyTime deadline, std::stop_token stop = {}) {
    const std::stop_callback stopped(stop, [this] { done_.set(); });
    const bool in_time = co_await done_.wait(deadline);
    if (!in_time || stop.stop_requested()) {
      abandoned_.store(true, std::memory_order_relaxed);
      if (!in_time) co_return Error{ErrorCode::deadline_exceeded, "the work was not done in the time allowed"};
      co_return Error{ErrorCode::cancelled, "nobody waits for the work any more"};
    }
    co_return std::move(*value_);
  }

  static Error too_much() { return {ErrorCode::resource_exhausted, "too much work is waiting; try again later"}; }

 private:
  const boost::asio::any_io_executor executor_;
  Event done_;
  std::optional<Result<T>> value_;  // the worker's, until `done_` is set for it
  std::atomic<bool> abandoned_{false};
};

}  // namespace sosie::net
