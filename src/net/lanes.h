// lanes.h: coroutines for callers that block.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <condition_variable>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/fenced.h"
#include "net/task.h"
#include "sosie/result.h"

namespace sosie::net {

/// A lane is an event loop and a `Peer` (the connections) that lives on it. A caller takes a free lane, runs a coroutine on it
/// with its own thread and puts the lane back: no thread is started, and no call waits for another thread.
///
/// Thread-safety: `run` may be called concurrently. Destroyed when no call is under way.
template <class Peer>
class Lanes {
 public:
  using Make = std::function<std::unique_ptr<Peer>(boost::asio::any_io_executor)>;

  /// REQUIRES: max_lanes > 0.
  Lanes(std::size_t max_lanes, Make make) : max_lanes_(max_lanes), make_(std::move(make)) { idle_.reserve(max_lanes); }

  /// Runs `job(peer)` to its end; the job itself keeps its deadline. With all lanes taken, waits for one until `deadline`.
  /// Errors: those of the job; resource_exhausted (no lane in time, no memory); internal (the job threw).
  template <class T>
  Result<T> run(const std::function<Task<Result<T>>(Peer&)>& job, SteadyTime deadline) {
    std::unique_ptr<Lane> lane;
    if (auto taken = base::fenced([&] { lane = take(deadline); }); !taken) return taken.error();
    if (!lane) return Error{ErrorCode::resource_exhausted, "all connections are busy; allow more (pool_size) or call less"};
    std::optional<Result<T>> result;
    const auto work = [&]() -> Task<void> {
      auto value = co_await job(*lane->peer);
      result.emplace(std::move(value));
    };
    const auto ended = [&result](std::exception_ptr failure) {
      if (failure) result.emplace(base::error_of(failure));
    };
    lane->context.restart();
    if (auto begun = base::fenced([&] { boost::asio::co_spawn(lane->context, work(), ended); }); !begun) result.emplace(begun.error());
    // Whatever a completion throws, the job refers to this call's variables: it is run to its end.
    while (!result) static_cast<void>(base::fenced([&] { lane->context.run_one(); }));
    put(std::move(lane));
    return std::move(*result);
  }

 private:
  struct Lane {
    boost::asio::io_context context{1};
    std::unique_ptr<Peer> peer;  // destroyed before its loop
  };

  std::unique_ptr<Lane> take(SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    if (!freed_.wait_until(lock, deadline, [&] { return !idle_.empty() || lanes_ < max_lanes_; })) return nullptr;
    if (!idle_.empty()) {
      auto lane = std::move(idle_.back());  // the one used last: its connection is the freshest
      idle_.pop_back();
      return lane;
    }
    ++lanes_;
    lock.unlock();
    try {
      auto lane = std::make_unique<Lane>();
      lane->peer = make_(lane->context.get_executor());
      return lane;
    } catch (...) {
      lock.lock();
      --lanes_;
      throw;
    }
  }

  void put(std::unique_ptr<Lane> lane) noexcept {
    {
      std::lock_guard lock(mutex_);
      idle_.push_back(std::move(lane));
    }
    freed_.notify_one();
  }

  const std::size_t max_lanes_;
  const Make make_;
  std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Lane>> idle_;
  std::size_t lanes_ = 0;
};

}  // namespace sosie::net
