// event.h: a thing that happens once, awaited with a deadline.
#pragma once

#include <boost/asio/steady_timer.hpp>

#include "net/task.h"

namespace sosie::net {

/// Thread-safety: none; everything happens on the executor's thread.
class Event {
 public:
  explicit Event(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  void set() {
    happened_ = true;
    timer_.cancel();
  }
  bool happened() const noexcept { return happened_; }

  /// Whether it happened before `deadline`. One waiter at a time, who keeps the event alive.
  Task<bool> wait(SteadyTime deadline) {
    if (!happened_) {
      timer_.expires_at(deadline);
      co_await timer_.async_wait(as_values);
    }
    co_return happened_;
  }

 private:
  boost::asio::steady_timer timer_;
  bool happened_ = false;
};

}  // namespace sosie::net
