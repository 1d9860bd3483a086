// calls.h: the calls to upstreams that are under way: how many there may be, and which gives way.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>

namespace sosie::gateway {

/// Thread-safety: every method may be called from any thread.
class Calls {
 public:
  explicit Calls(std::size_t most) : most_(most) {}
  Calls(const Calls&) = delete;
  Calls& operator=(const Calls&) = delete;

  /// One call, as long as it lives. Thread-safety: every method may be called from any thread.
  class Call {
   public:
    Call(Calls& calls, boost::asio::any_io_executor executor);
    ~Call();
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

    /// Requested on the executor's thread, as `net::ClientRequest` wants it.
    std::stop_token stop_token() const { return stop_.get_token(); }
    void stop();

    /// Whether somebody waits for what it brings. True at first.
    void set_awaited(bool awaited);

   private:
    friend class Calls;
    Calls& calls_;
    const boost::asio::any_io_executor executor_;
    std::stop_source stop_;
    // Guarded by the mutex of `calls_`:
    bool counted_ = false;  // until it is stopped to make room
    bool unawaited_ = false;
    std::list<Call*>::iterator place_;  // in calls_.unawaited_, while that is so
  };

  /// Where there are as many as there may be, the one that nobody has been waiting for longest is stopped. Null: somebody waits for each.
  std::shared_ptr<Call> begin(boost::asio::any_io_executor executor);

  std::size_t count() const;

 private:
  const std::size_t most_;
  mutable std::mutex mutex_;
  std::size_t count_ = 0;
  std::list<Call*> unawaited_;  // the longest so first
};

}  // namespace sosie::gateway
