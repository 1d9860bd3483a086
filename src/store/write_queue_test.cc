#include "store/write_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>
#include <vector>

namespace sosie::store {
namespace {

struct Work {
  int value = 0;
  int commits = 0;
};

TEST(WriteQueue, EveryWorkIsCommittedOnceAndBeforeItsSubmitReturns) {
  WriteQueue<Work> queue;
  int running = 0;  // Unguarded on purpose: commits exclude each other, as the thread sanitizer checks.
  std::uint64_t commits = 0, works = 0;
  std::atomic<int> faults{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        Work work{.value = i};
        queue.submit(
            work, [](std::span<Work* const> batch, const Work&) { return batch.size() < 4; },
            [&](std::span<Work* const> batch) {
              if (++running != 1 || batch.empty() || batch.size() > 4) ++faults;
              for (Work* member : batch) ++member->commits;
              ++commits;
              works += batch.size();
              std::this_thread::yield();  // Lets others queue up.
              --running;
            });
        if (work.commits != 1) ++faults;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults, 0);
  EXPECT_EQ(works, 6u * 300);
  EXPECT_LE(commits, works);
}

TEST(WriteQueue, ThoseWhoWaitShareOneCommitAndOthersComeAfter) {
  WriteQueue<Work> queue;
  std::vector<std::size_t> batches;
  std::vector<std::thread> followers;
  const auto joins = [](std::span<Work* const> batch, const Work& next) { return next.value == batch.front()->value; };
  const auto record = [&](std::span<Work* const> batch) { batches.push_back(batch.size()); };
  // While the first commit runs, two works of kind 1 and one of kind 2 queue up, in this order.
  Work first;
  queue.submit(first, joins, [&](std::span<Work* const> batch) {
    record(batch);
    for (int kind : {1, 1, 2}) {
      followers.emplace_back([&, kind] {
        Work work{.value = kind};
        queue.submit(work, joins, record);
      });
      while (queue.size() != followers.size() + 1) std::this_thread::yield();
    }
  });
  for (std::thread& follower : followers) follower.join();
  EXPECT_EQ(batches, (std::vector<std::size_t>{1, 2, 1}));
}

TEST(WriteQueue, WhoFindsNoMemoryLeavesAndThoseBehindGoOn) {
  WriteQueue<Work> queue;
  const auto alone = [](std::span<Work* const>, const Work&) { return false; };
  const auto no_memory = [](std::span<Work* const>, const Work&) -> bool { throw std::bad_alloc(); };
  std::vector<std::thread> followers;
  std::atomic<int> failed{0}, committed{0};
  Work first;
  queue.submit(first, alone, [&](std::span<Work* const>) {
    for (int i : {0, 1}) {  // The first of them leads, and fails while it gathers its batch.
      followers.emplace_back([&, i] {
        Work work{.value = i};
        try {
          i == 0 ? queue.submit(work, no_memory, [](std::span<Work* const>) {})
                 : queue.submit(work, alone, [&](std::span<Work* const> batch) { committed += static_cast<int>(batch.size()); });
        } catch (const std::bad_alloc&) {
          ++failed;
        }
      });
      while (queue.size() != followers.size() + 1) std::this_thread::yield();
    }
  });
  for (std::thread& follower : followers) follower.join();
  EXPECT_EQ(failed, 1);
  EXPECT_EQ(committed, 1);
  EXPECT_EQ(queue.size(), 0u);
}

}  // namespace
}  // namespace sosie::store
