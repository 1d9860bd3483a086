#include "net/worker_pool.h"

#include <boost/asio/thread_pool.hpp>
#include <mutex>

namespace sosie::net {

class WorkerPool::Impl {
 public:
  Impl(std::size_t count, std::size_t bound) : max_queued(bound), threads(count) {}
  const std::size_t max_queued;
  std::atomic<std::size_t> queued{0};
  std::once_flag joined;
  boost::asio::thread_pool threads;
};

WorkerPool::WorkerPool(std::size_t threads, std::size_t max_queued) : impl_(new Impl(threads, max_queued)) {}

WorkerPool::~WorkerPool() { join(); }

void WorkerPool::join() {
  std::call_once(impl_->joined, [this] { impl_->threads.join(); });
}

bool WorkerPool::submit(std::function<void()> job) {
  if (impl_->queued.fetch_add(1) >= impl_->max_queued) {
    impl_->queued.fetch_sub(1);
    return false;
  }
  boost::asio::post(impl_->threads, [impl = impl_.get(), job = std::move(job)] {
    impl->queued.fetch_sub(1);
    job();
  });
  return true;
}

std::size_t WorkerPool::queued() const noexcept { return impl_->queued.load(); }

}  // namespace sosie::net
