#include "net/worker_pool.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/log.h"

namespace sosie::net {

class WorkerPool::Impl {
 public:
  using Job = std::function<void()>;

  Impl(std::size_t count, std::size_t bound) : max_queued(bound) {
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back([this] { work(); });
  }

  void work() {
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex);
        auto next = queues.end();
        wake.wait(lock, [&] {
          next = std::find_if(queues.begin(), queues.end(), [](const auto& queue) { return !queue.empty(); });
          return joining || next != queues.end();
        });
        if (next == queues.end()) return;
        job = std::move(next->front());
        next->pop_front();
        count();
      }
      if (auto done = base::fenced(job); !done) base::log_error("a job failed: " + done.error().message);
    }
  }

  // Under the lock. Who only asks how many wait takes none.
  void count() { queued.store(queue_of(Urgency::normal).size(), std::memory_order_relaxed); }
  std::deque<Job>& queue_of(Urgency urgency) { return queues[static_cast<std::size_t>(urgency)]; }

  const std::size_t max_queued;
  std::mutex mutex;  // guards the queues and `joining`
  std::condition_variable wake;
  std::array<std::deque<Job>, 3> queues;  // by urgency
  bool joining = false;
  std::atomic<std::size_t> queued{0};
  std::once_flag joined;
  std::vector<std::thread> threads;
};

WorkerPool::WorkerPool(std::size_t threads, std::size_t max_queued) : impl_(new Impl(threads, max_queued)) {}

WorkerPool::~WorkerPool() { join(); }

void WorkerPool::join() {
  std::call_once(impl_->joined, [this] {
    {
      const std::lock_guard lock(impl_->mutex);
      impl_->joining = true;
    }
    impl_->wake.notify_all();
    for (auto& thread : impl_->threads) thread.join();
  });
}

bool WorkerPool::submit(std::function<void()> job, Urgency urgency) {
  {
    const std::lock_guard lock(impl_->mutex);
    auto& queue = impl_->queue_of(urgency);
    if (queue.size() >= impl_->max_queued) return false;
    queue.push_back(std::move(job));
    impl_->count();
  }
  impl_->wake.notify_one();
  return true;
}

std::size_t WorkerPool::queued() const noexcept { return impl_->queued.load(std::memory_order_relaxed); }

}  // namespace sosie::net
