// shared_call.h: one call to the upstream, and everybody who waits for what it brings (single-flight).
//
// A coroutine of its own forwards the call, so that nobody's leaving ends it. Subscribers see its head, then its pieces in their order, then
// its end; each at its own pace, on its own thread. Pieces are retained until the end, so that whoever comes late sees them all, until there
// are more bytes than are worth it: from then on the call is no longer retained: nobody may join any more, what all have read is dropped,
// and the slowest subscriber sets the pace. Where memory is tight (net/held_bytes.h) what is read is dropped earlier: who comes late then
// has to wait for the whole answer. Who waits for that reads no pieces, and holds none.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/upstream/calls.h"
#include "net/event.h"
#include "net/held_bytes.h"
#include "net/http_client.h"
#include "protocol/question.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// Thread-safety: every method may be called from any thread; tasks run on the executor given.
class SharedCall {
 public:
  /// What is asked. Never changes.
  struct Asked {
    std::string scope, prompt;
    protocol::Surface surface = protocol::Surface::chat;
    bool stream = false, include_usage = false, may_come_back = false;
    decide::Reuse reuse = decide::Reuse::by_meaning;
    decide::Reuse while_open = decide::Reuse::by_meaning;  ///< Who may read along before it is known which functions are called.
  };

  struct Head {
    int status = 0;
    std::string content_type, headers;
    bool events = false;  ///< A stream; pieces are whole events.
  };

  /// A whole answer that may be used again.
  struct Answered {
    std::shared_ptr<const std::string> kept;
    decide::Reuse reuse = decide::Reuse::by_meaning;
    TimePoint created{};
  };

  /// `held` outlives it.
  SharedCall(Asked asked, net::HeldBytes& held) : asked_(std::move(asked)), held_(held) {}
  ~SharedCall();
  SharedCall(const SharedCall&) = delete;
  SharedCall& operator=(const SharedCall&) = delete;
  const Asked& asked() const noexcept { return asked_; }

  // For whoever compares questions.
  void set_embedding(std::shared_ptr<const Embedding> embedding);
  std::shared_ptr<const Embedding> embedding() const;

  // For who forwards the call. It ends once: what comes behind its end changes nothing.
  void start(Head head);
  void add(std::string bytes);
  void stop_retaining();
  /// While it is not retained: waits until the slowest subscriber has room for more. False: there is none any more.
  net::Task<bool> make_room(boost::asio::any_io_executor executor);
  /// The call to the upstream: it is told whether anybody reads. Until it ends.
  void set_call(std::shared_ptr<Calls::Call> call, bool only_for_subscribers);
  /// From now on the call is for those who read it alone: it is stopped when the last one has left. So it is once it is no longer retained.
  void serve_subscribers_only();
  /// The end, after a last piece (may be empty). Unset: this answer is nobody else's.
  void complete(std::string last, std::optional<Answered> answered);
  void fail(net::ClientError failure);
  /// Whether nobody reads.
  bool has_no_subscribers() const;
  /// Waits until nobody reads any more what is complete.
  net::Task<void> without_subscribers(boost::asio::any_io_executor executor, net::SteadyTime deadline);

  /// Set once it is complete and may answer others.
  std::optional<Answered> answered() const;

  /// One who reads from the first piece on. Thread-safety: none.
  class Subscriber {
   public:
    Subscriber(std::shared_ptr<SharedCall> shared_call, boost::asio::any_io_executor executor);
    ~Subscriber();
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;

    /// Waits for the head. Unset: the call failed (`failure` says why), or the time is over.
    net::Task<std::optional<Head>> head(net::SteadyTime deadline);

    enum class Seen { piece, end, failed, late };
    struct Next {
      Seen seen;
      std::shared_ptr<const std::string> bytes;  ///< Of a piece.
    };
    net::Task<Next> next(net::SteadyTime deadline);

    /// Waits for the end of a call with a time limit between two pieces; `late` also where it is no longer retained.
    net::Task<Seen> end(net::Milliseconds silence);

    /// Reads no more: what it waits for ends at once, the head unset, a piece or the end `late`. Safe to call again.
    void leave();

    std::optional<net::ClientError> failure() const;
    bool unretained() const;
    /// Whether it sees the first piece.
    bool from_the_start() const noexcept { return from_the_start_; }

   private:
    friend class SharedCall;
    const std::shared_ptr<SharedCall> shared_call_;
    const boost::asio::any_io_executor executor_;
    bool from_the_start_ = true;
    // Guarded by the call's mutex:
    std::size_t position_ = 0;
    bool reads_pieces_ = true;
    bool left_ = false;
  };

 private:
  struct Waiter {
    boost::asio::any_io_executor executor;
    std::shared_ptr<net::Event> event;
  };

  void push(std::string bytes);
  void wake(std::vector<Waiter> waiters);
  std::vector<Waiter> take_waiters() { return std::exchange(waiters_, {}); }  // under the mutex
  void drop_read();
  std::size_t slowest() const;

  /// Waits until `ready()`, called under the mutex, says so. False: the time is over.
  template <class Ready>
  net::Task<bool> until(boost::asio::any_io_executor executor, net::SteadyTime deadline, Ready ready) {
    for (;;) {
      std::shared_ptr<net::Event> event;
      {
        const std::lock_guard lock(mutex_);
        if (ready()) co_return true;
        event = std::make_shared<net::Event>(executor);
        waiters_.push_back({executor, event});
      }
      const bool woken = co_await event->wait(deadline);
      if (woken) continue;
      const std::lock_guard lock(mutex_);
      std::erase_if(waiters_, [&](const Waiter& waiter) { return waiter.event == event; });
      co_return ready();
    }
  }

  void note_subscribers();
  std::size_t end_position() const { return first_piece_ + pieces_.size(); }

  const Asked asked_;
  net::HeldBytes& held_;
  mutable std::mutex mutex_;
  std::vector<Waiter> waiters_;
  std::vector<Subscriber*> subscribers_;
  std::shared_ptr<Calls::Call> call_;
  bool only_for_subscribers_ = false;
  std::shared_ptr<const Embedding> embedding_;
  std::optional<Head> head_;
  std::deque<std::shared_ptr<const std::string>> pieces_;
  std::size_t first_piece_ = 0;  // the number of pieces_.front()
  std::size_t held_bytes_ = 0;   // in pieces_
  std::size_t kept_bytes_ = 0;   // in answered_
  bool unretained_ = false, ended_ = false;
  std::optional<net::ClientError> failure_;
  std::optional<Answered> answered_;
};

}  // namespace sosie::gateway
