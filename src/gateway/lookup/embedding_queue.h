// embedding_queue.h: the texts that requests want embedded. Those that wait for an encoder are embedded together.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string_view>
#include <utility>
#include <vector>

#include "net/pending.h"
#include "net/worker_pool.h"
#include "sosie/cache.h"

namespace sosie::gateway {

/// A text that finds an encoder free is embedded at once, alone. While all are busy texts gather, and short ones are then embedded in one
/// call, in which the encoder's weights are fetched once for all of them (an endpoint: is asked once). Where such a call fails, each of its
/// texts is tried alone, so that none fails for another's sake.
///
/// Thread-safety: every method may be called from any thread.
class EmbeddingQueue {
 public:
  using Embedded = Result<std::shared_ptr<const Embedding>>;

  /// What is done with it, on the encoder's thread. `others_wait` for an encoder: work that can be done elsewhere should be.
  template <class T>
  using Then = std::function<T(Embedded embedded, bool others_wait)>;

  /// Says, just before a text would be embedded, that it is known by now; null: it is not.
  using Known = std::function<std::shared_ptr<const Embedding>()>;

  /// `encoders` has `threads` threads. `max_queued`: texts of each urgency. Both references outlive it; `encoders` is joined before it goes.
  EmbeddingQueue(const SemanticCache& cache, net::WorkerPool& encoders, std::size_t threads, std::size_t max_queued)
      : cache_(cache), encoders_(encoders), threads_(threads), max_queued_(max_queued) {}

  /// What `then` returns. `then` owns what `text` views, until it has returned or the queue has let go of it.
  /// Errors: resource_exhausted (the queue is full), deadline_exceeded, cancelled (stopped); those of embedding are given to `then`.
  template <class T>
  net::Task<Result<T>> embed(boost::asio::any_io_executor executor, std::string_view text, Then<T> then, net::SteadyTime deadline,
                             net::Urgency urgency = net::Urgency::normal, Known known = {}, std::stop_token stop = {}) {
    auto pending = std::make_shared<net::Pending<T>>(std::move(executor));
    Waiting waiting{text, std::move(known), [pending] { return pending->abandoned(); },
                    [pending, then = std::move(then)](Embedded embedded, bool others_wait) {
                      pending->set([&] { return then(std::move(embedded), others_wait); });
                    }};
    if (!submit(std::move(waiting), urgency)) co_return net::Pending<T>::too_much();
    auto result = co_await pending->wait(deadline, std::move(stop));
    co_return result;
  }

  /// Texts that somebody waits for.
  std::size_t queued() const;

 private:
  // Of short questions about as many as the encoder gains from: 64 tokens.
  static constexpr std::size_t kMostTogether = 8, kBytesTogether = 256;

  struct Waiting {
    std::string_view text;
    Known known;
    std::function<bool()> abandoned;
    std::function<void(Embedded, bool)> then;
  };
  struct Line {
    std::deque<Waiting> waiting;
    std::size_t workers = 0;  // Jobs of the pool that serve it, begun or not.
  };

  bool submit(Waiting waiting, net::Urgency urgency);
  void work(net::Urgency urgency);
  void embed_some(net::Urgency urgency);
  bool goes_on_later(net::Urgency urgency);
  Line& line_of(net::Urgency urgency) { return lines_[static_cast<std::size_t>(urgency)]; }

  const SemanticCache& cache_;
  net::WorkerPool& encoders_;
  const std::size_t threads_, max_queued_;
  mutable std::mutex mutex_;  // guards the lines
  std::array<Line, 3> lines_;  // by urgency
};

}  // namespace sosie::gateway
