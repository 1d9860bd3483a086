// background.h: coroutines for callers that do not wait: one thread, one event loop.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/fenced.h"
#include "base/log.h"
#include "net/task.h"
#include "sosie/result.h"

namespace sosie::net {

/// Thread-safety: `spawn` may be called from any thread, also from a completion.
template <class Peer>
class Background {
 public:
  using Make = std::function<std::unique_ptr<Peer>(boost::asio::any_io_executor)>;

  /// Starts the thread.
  explicit Background(const Make& make) : peer_(make(context_.get_executor())), thread_([this] { run(); }) {}

  ~Background() { join(); }

  /// Waits for what is under way, then ends the thread. Idempotent; nothing may be spawned any more. The loop stays until the
  /// destructor, so that what was left behind on other threads may still report to it. Not from a completion.
  void join() {
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

  /// Whether the caller is a completion, or called by one.
  bool is_here() const noexcept { return thread_.get_id() == std::this_thread::get_id(); }

  /// Runs `job(peer)` on the thread, then `done` with its result, there too. `done` must not block or throw.
  template <class T>
  void spawn(std::function<Task<Result<T>>(Peer&)> job, std::function<void(Result<T>)> done) {
    struct Work {
      std::function<Task<Result<T>>(Peer&)> job;
      std::function<void(Result<T>)> done;
    };
    auto work = std::make_shared<Work>(Work{std::move(job), std::move(done)});
    boost::asio::post(context_, [this, work = std::move(work)] {
      const auto ended = [work](std::exception_ptr failure) {
        if (failure) work->done(base::error_of(failure));
      };
      const auto begun = base::fenced([&] { boost::asio::co_spawn(context_, carry_out(work), ended); });
      if (!begun) work->done(begun.error());
    });
  }

 private:
  void run() {
    for (;;) {
      const auto ran = base::fenced([this] { context_.run(); });
      if (ran) return;
      base::log_error("an event loop goes on after a failure: " + ran.error().message);
    }
  }

  template <class Work>
  Task<void> carry_out(std::shared_ptr<Work> work) {
    auto value = co_await work->job(*peer_);
    work->done(std::move(value));
  }

  boost::asio::io_context context_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{context_.get_executor()};
  std::unique_ptr<Peer> peer_;
  std::thread thread_;
};

}  // namespace sosie::net
