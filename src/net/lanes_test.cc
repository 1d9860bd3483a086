// Lanes and Background: the same peers, for callers that block and for those that do not.
#include "net/lanes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <future>
#include <new>
#include <stdexcept>
#include <thread>
#include <utility>

#include "net/background.h"

namespace sosie::net {
namespace {

/// Sleeps on its loop, and knows when two calls are on it at once.
class Sleeper {
 public:
  explicit Sleeper(boost::asio::any_io_executor executor) : executor_(std::move(executor)) { ++made; }
  ~Sleeper() { --made; }

  Task<Result<int>> sleep(Milliseconds time, int value) {
    most_at_once = std::max(most_at_once, ++at_once_);
    boost::asio::steady_timer timer(executor_);
    timer.expires_after(time);
    co_await timer.async_wait(as_values);
    --at_once_;
    co_return value;
  }

  static std::atomic<int> made;
  int most_at_once = 0;

 private:
  const boost::asio::any_io_executor executor_;
  int at_once_ = 0;
};

std::atomic<int> Sleeper::made{0};

std::unique_ptr<Sleeper> make_sleeper(boost::asio::any_io_executor executor) {
  return std::make_unique<Sleeper>(std::move(executor));
}

TEST(Lanes, ServesEveryCallerWithNoMorePeersThanAllowed) {
  {
    Lanes<Sleeper> lanes(2, make_sleeper);
    EXPECT_EQ(Sleeper::made, 0) << "peers are made when they are needed";
    std::atomic<int> right{0};
    std::vector<std::thread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&, i] {
        for (int k = 0; k < 20; ++k) {
          const auto job = [&](Sleeper& peer) { return peer.sleep(Milliseconds(1), 100 * i + k); };
          const auto value = lanes.run<int>(job, after(Milliseconds(20'000)));
          if (value && *value == 100 * i + k) ++right;
        }
      });
    }
    for (auto& caller : callers) caller.join();
    EXPECT_EQ(right, 160);
    EXPECT_EQ(Sleeper::made, 2);
    const auto most = [](Sleeper& peer) -> Task<Result<int>> { co_return peer.most_at_once; };
    EXPECT_EQ(*lanes.run<int>(most, after(Milliseconds(1'000))), 1);
  }
  EXPECT_EQ(Sleeper::made, 0);
}

TEST(Lanes, WaitsForALaneUntilTheDeadlineOnly) {
  Lanes<Sleeper> lanes(1, make_sleeper);
  std::promise<void> begun;
  std::thread busy([&] {
    const auto job = [&](Sleeper& peer) {
      begun.set_value();
      return peer.sleep(Milliseconds(300), 1);
    };
    EXPECT_TRUE(lanes.run<int>(job, after(Milliseconds(1'000))));
  });
  begun.get_future().wait();
  const auto job = [](Sleeper& peer) { return peer.sleep(Milliseconds(0), 2); };
  const auto refused = lanes.run<int>(job, after(Milliseconds(20)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::resource_exhausted);
  EXPECT_TRUE(lanes.run<int>(job, after(Milliseconds(5'000))));
  busy.join();
}

TEST(Lanes, TurnsAnExceptionIntoAnError) {
  Lanes<Sleeper> lanes(1, make_sleeper);
  const auto job = [](Sleeper&) -> Task<Result<int>> {
    throw std::runtime_error("no");
    co_return 0;
  };
  const auto failed = lanes.run<int>(job, after(Milliseconds(1'000)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::internal);
}

TEST(Lanes, APeerThatCannotBeMadeCostsNoLane) {
  bool fails = true;
  Lanes<Sleeper> lanes(1, [&](boost::asio::any_io_executor executor) {
    if (std::exchange(fails, false)) throw std::bad_alloc();
    return make_sleeper(std::move(executor));
  });
  const auto job = [](Sleeper& peer) { return peer.sleep(Milliseconds(0), 2); };
  const auto failed = lanes.run<int>(job, after(Milliseconds(60'000)));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::resource_exhausted);
  EXPECT_TRUE(lanes.run<int>(job, after(Milliseconds(60'000))));
}

TEST(Background, RunsCallsSideBySideAndEndsWithTheLast) {
  std::atomic<int> ended{0};
  const auto start = std::chrono::steady_clock::now();
  {
    Background<Sleeper> background(make_sleeper);
    for (int i = 0; i < 64; ++i) {
      background.spawn<int>([i](Sleeper& peer) { return peer.sleep(Milliseconds(100), i); },
                            [&, i](Result<int> value) { ended += value && *value == i ? 1 : 0; });
    }
  }
  EXPECT_EQ(ended, 64);
  EXPECT_LT(std::chrono::steady_clock::now() - start, Milliseconds(64 * 100 / 2));
}

TEST(Background, TakesCallsFromItsCompletions) {
  std::atomic<int> ended{0};
  std::promise<void> all;
  {
    Background<Sleeper> background(make_sleeper);
    std::function<void(Result<int>)> next = [&](Result<int> value) {
      if (++ended == 10) return all.set_value();
      background.spawn<int>([value](Sleeper& peer) { return peer.sleep(Milliseconds(0), *value + 1); }, next);
    };
    background.spawn<int>([](Sleeper& peer) { return peer.sleep(Milliseconds(0), 0); }, next);
    all.get_future().wait();
  }
  EXPECT_EQ(ended, 10);
}

}  // namespace
}  // namespace sosie::net
