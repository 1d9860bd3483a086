// held_bytes.h: the bytes that are held for clients who have not read them yet, all of them together, and which client gives way when
// they are too many.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <utility>

#include "net/task.h"

namespace sosie::net {

/// Thread-safety: every method may be called from any thread.
class HeldBytes {
 public:
  explicit HeldBytes(std::size_t limit) : limit_(limit) {}
  HeldBytes(const HeldBytes&) = delete;
  HeldBytes& operator=(const HeldBytes&) = delete;

  /// Beyond the limit the client that has taken nothing for the longest time is ended; when it has gone, and that was not enough, the next.
  void add(std::size_t bytes);
  void remove(std::size_t bytes) noexcept { count_.fetch_sub(bytes, std::memory_order_relaxed); }

  std::size_t count() const noexcept { return count_.load(std::memory_order_relaxed); }
  /// More than half of the limit: what is held for convenience only should be let go.
  bool tight() const noexcept { return count() > limit_ / 2; }
  /// More than may be: nothing is to be held that somebody could read right away.
  bool full() const noexcept { return count() > limit_; }
  /// Waits until no more is held than may be: ending the slowest takes their threads some turns, and whoever makes a long reply meanwhile
  /// would be quicker. False: the time is over. Resumes on the executor.
  Task<bool> room(boost::asio::any_io_executor executor, SteadyTime deadline);
  /// How many clients were ended.
  std::uint64_t ended() const noexcept { return ended_.load(std::memory_order_relaxed); }

  /// Bytes that count as long as this lives. Thread-safety: none.
  class Part {
   public:
    explicit Part(HeldBytes& held, std::size_t bytes = 0) : held_(held) { add(bytes); }
    ~Part() { held_.remove(bytes_); }
    Part(const Part&) = delete;
    Part& operator=(const Part&) = delete;
    void add(std::size_t bytes) {
      bytes_ += bytes;
      held_.add(bytes);
    }
    void set(std::size_t bytes) {
      held_.remove(std::exchange(bytes_, 0));
      add(bytes);
    }

   private:
    HeldBytes& held_;
    std::size_t bytes_ = 0;
  };

  /// A client whose socket takes no more for now, and the bytes that wait for it. Thread-safety: none; lives on the executor's thread.
  class Waiting {
   public:
    /// `end` is called there once at most, and not when this is gone. `held` outlives the executor's work.
    Waiting(HeldBytes& held, std::size_t bytes, boost::asio::any_io_executor executor, std::function<void()> end);
    ~Waiting();
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    /// The client has taken some.
    void took();

   private:
    friend class HeldBytes;
    struct Client {
      boost::asio::any_io_executor executor;
      std::function<void()> end;
      bool ending = false;
    };
    HeldBytes& held_;
    const std::size_t bytes_;
    std::list<std::shared_ptr<Client>>::iterator place_;
  };

 private:
  void end_slowest();

  const std::size_t limit_;
  std::atomic<std::size_t> count_{0};
  std::atomic<std::uint64_t> ended_{0};
  std::mutex mutex_;
  std::list<std::shared_ptr<Waiting::Client>> waiting_;  // who has taken nothing for the longest time first
  bool ending_ = false;                                  // one of them has been told, and what it held is not free yet
};

}  // namespace sosie::net
