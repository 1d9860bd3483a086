#include "embed/helper_threads.h"

#include <atomic>
#include <exception>

namespace sosie::embed {

struct HelperThreads::Job {
  Job(std::size_t n, const std::function<void(std::size_t)>& w) : count(n), work(w) {}

  // Takes items until none is left.
  void share() {
    for (std::size_t item = next++; item < count; item = next++) {
      try {
        work(item);
      } catch (...) {
        if (!failed.exchange(true)) failure = std::current_exception();
      }
      if (++done == count) done.notify_all();
    }
  }

  bool taken() const { return next >= count; }

  const std::size_t count;
  const std::function<void(std::size_t)>& work;  // Outlives the last item, and nobody calls it afterwards.
  std::atomic<std::size_t> next = 0, done = 0;
  std::atomic<bool> failed = false;
  std::exception_ptr failure;  // the first; complete once all items are done
};

HelperThreads::HelperThreads(std::size_t count) {
  threads_.reserve(count);
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { serve(); });
}

HelperThreads::~HelperThreads() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (auto& thread : threads_) thread.join();
}

void HelperThreads::for_each(std::size_t count, const std::function<void(std::size_t)>& work) {
  if (threads_.empty() || count < 2) {
    for (std::size_t item = 0; item < count; ++item) work(item);
    return;
  }
  const auto job = std::make_shared<Job>(count, work);
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  wake_.notify_all();
  job->share();
  for (std::size_t done = job->done; done < count; done = job->done) job->done.wait(done);
  {
    const std::lock_guard lock(mutex_);
    std::erase(jobs_, job);
  }
  if (job->failure) std::rethrow_exception(job->failure);
}

void HelperThreads::serve() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    const std::shared_ptr<Job> job = jobs_.front();
    if (job->taken()) {
      std::erase(jobs_, job);
      continue;
    }
    lock.unlock();
    job->share();
    lock.lock();
  }
}

}  // namespace sosie::embed
