#include "embed/helper_threads.h"

#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <set>

namespace sosie::embed {
namespace {

TEST(HelperThreads, EveryItemOnceWhateverTheThreads) {
  for (const std::size_t threads : {0, 1, 3}) {
    HelperThreads helpers(threads);
    for (const std::size_t count : {0, 1, 2, 5, 100}) {
      std::vector<std::atomic<int>> seen(count);
      helpers.for_each(count, [&](std::size_t i) { ++seen[i]; });
      for (const auto& times : seen) EXPECT_EQ(times, 1);
    }
  }
}

TEST(HelperThreads, CallsFromManyThreadsShareThem) {
  HelperThreads helpers(2);
  std::atomic<std::size_t> sum = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        std::atomic<std::size_t> mine = 0;  // Dead after the call: nobody may touch it later.
        helpers.for_each(7, [&](std::size_t i) { mine += i; });
        EXPECT_EQ(mine, 21U);
        sum += mine;
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(sum, 4U * 200 * 21);
}

TEST(HelperThreads, WhatIsThrownReachesTheCaller) {
  for (const std::size_t count : {0U, 3U}) {
    HelperThreads helpers(count);
    std::atomic<std::size_t> called = 0;
    const auto work = [&](std::size_t i) {
      ++called;
      if (i % 2 == 1) throw std::bad_alloc();
    };
    EXPECT_THROW(helpers.for_each(100, work), std::bad_alloc);
    called = 0;
    helpers.for_each(1, work);
    EXPECT_EQ(called, 1U) << "the threads go on";
  }
}

TEST(HelperThreads, NoneIsTheCallerAlone) {
  HelperThreads helpers(0);
  std::set<std::thread::id> ids;
  helpers.for_each(10, [&](std::size_t) { ids.insert(std::this_thread::get_id()); });
  EXPECT_EQ(ids, std::set{std::this_thread::get_id()});
}

}  // namespace
}  // namespace sosie::embed
