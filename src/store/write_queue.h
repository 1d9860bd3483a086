// write_queue.h: many waiting writers, one commit, no thread of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

namespace sosie::store {

/// Writers queue up; the first in the queue leads: it commits its own work and that of those behind it, then wakes them.
///
/// Thread-safety: `submit` may be called concurrently. At most one `commit` runs at any time.
template <class Work>
class WriteQueue {
 public:
  /// Returns when a `commit` that covered `work` has returned, be it this caller's own or another's. Throws where memory runs out before
  /// anything was committed; those behind go on.
  ///
  /// `joins(batch, next)` says whether `next` may still be committed together with the non-empty `batch`;
  /// `commit(batch)` must not throw, and leaves each result inside its Work.
  template <class Joins, class Commit>
  void submit(Work& work, const Joins& joins, const Commit& commit) {
    std::unique_lock lock(mutex_);
    Waiter self{&work};
    queue_.push_back(&self);
    self.turn.wait(lock, [&] { return self.done || queue_.front() == &self; });
    if (self.done) return;

    std::vector<Work*> batch;
    try {
      batch.push_back(&work);
      for (std::size_t i = 1; i < queue_.size(); ++i) {
        if (!joins(std::span<Work* const>(batch), *queue_[i]->work)) break;
        batch.push_back(queue_[i]->work);
      }
    } catch (...) {
      queue_.pop_front();
      if (!queue_.empty()) queue_.front()->turn.notify_one();
      throw;
    }
    lock.unlock();
    [&]() noexcept { commit(std::span<Work* const>(batch)); }();
    lock.lock();
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Waiter* waiter = queue_.front();
      queue_.pop_front();
      if (waiter == &self) continue;
      waiter->done = true;
      waiter->turn.notify_one();  // Under the lock: the waiter, and its condition, vanish once it sees `done`.
    }
    if (!queue_.empty()) queue_.front()->turn.notify_one();
  }

  /// Works queued or being committed.
  std::size_t size() const {
    std::lock_guard lock(mutex_);
    return queue_.size();
  }

 private:
  struct Waiter {
    Work* work;
    bool done = false;
    std::condition_variable turn;
  };

  mutable std::mutex mutex_;
  std::deque<Waiter*> queue_;
};

}  // namespace sosie::store
