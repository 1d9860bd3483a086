// helper_threads.h: a few threads that share the items of one call.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace sosie::embed {

/// Thread-safety: `for_each` may be called concurrently; calls share the threads.
class HelperThreads {
 public:
  /// Starts `count` threads; 0: none, and `for_each` is a loop.
  explicit HelperThreads(std::size_t count);
  ~HelperThreads();
  HelperThreads(const HelperThreads&) = delete;
  HelperThreads& operator=(const HelperThreads&) = delete;

  std::size_t count() const noexcept { return threads_.size(); }

  /// Calls work(0) to work(count - 1), some on the helpers, some on this thread; returns when all are done.
  /// What `work` throws is thrown here, once nobody is at work any more; of several, one.
  void for_each(std::size_t count, const std::function<void(std::size_t)>& work);

 private:
  struct Job;
  void serve();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace sosie::embed
