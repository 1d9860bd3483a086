#include "net/backoff.h"

#include <gtest/gtest.h>

namespace sosie::net {
namespace {

using std::chrono::milliseconds;

const Backoff::Time kStart = Backoff::Time() + std::chrono::hours(1);

/// The first whole millisecond after `from` at which it allows; leaves that one trying.
milliseconds pause_of(Backoff& backoff, Backoff::Time from) {
  for (milliseconds wait{0};; ++wait) {
    if (backoff.allows(from + wait)) return wait;
  }
}

TEST(Backoff, AllowsAllUntilAFailure) {
  Backoff backoff;
  EXPECT_TRUE(backoff.allows(kStart));
  EXPECT_TRUE(backoff.allows(kStart));
  backoff.failed(kStart);
  EXPECT_FALSE(backoff.allows(kStart));
}

TEST(Backoff, DoublesUpToTheLongestWithJitter) {
  bool differ = false;
  milliseconds seen{-1};
  for (std::uint32_t seed = 0; seed < 50; ++seed) {
    Backoff backoff(milliseconds(100), milliseconds(700), seed);
    auto now = kStart;
    for (const int whole : {100, 200, 400, 700, 700, 700}) {
      backoff.failed(now);
      const milliseconds pause = pause_of(backoff, now);
      EXPECT_GE(pause, milliseconds(whole / 2)) << seed;
      EXPECT_LE(pause, milliseconds(whole)) << seed;
      now += pause;
      if (whole == 400) {
        differ = differ || (seen.count() >= 0 && seen != pause);
        seen = pause;
      }
    }
  }
  EXPECT_TRUE(differ);
}

TEST(Backoff, LetsOneTryAtATime) {
  Backoff backoff(milliseconds(100), milliseconds(1000));
  backoff.failed(kStart);
  const auto later = kStart + milliseconds(100);
  EXPECT_TRUE(backoff.allows(later));
  EXPECT_FALSE(backoff.allows(later));
  EXPECT_FALSE(backoff.allows(later + milliseconds(999)));
  EXPECT_TRUE(backoff.allows(later + milliseconds(1000))) << "one that never tells must not block the rest for ever";
}

TEST(Backoff, EndsWithASuccess) {
  Backoff backoff(milliseconds(100), milliseconds(1000));
  for (int i = 0; i < 5; ++i) backoff.failed(kStart + milliseconds(2000 * i));
  backoff.succeeded();
  EXPECT_TRUE(backoff.allows(kStart));
  EXPECT_TRUE(backoff.allows(kStart));
  backoff.failed(kStart);
  EXPECT_LE(pause_of(backoff, kStart), milliseconds(100));
}

TEST(Backoff, CountsFailuresAtTheSameTimeOnce) {
  Backoff backoff(milliseconds(100), milliseconds(100'000));
  for (int i = 0; i < 16; ++i) backoff.failed(kStart);
  EXPECT_LE(pause_of(backoff, kStart), milliseconds(100));
}

TEST(Backoff, OneThatLearntNothingLeavesItsPlaceToAnother) {
  Backoff backoff;
  backoff.abandoned(kStart);
  EXPECT_TRUE(backoff.allows(kStart));
  backoff.failed(kStart);
  const auto later = kStart + backoff.wait(kStart);
  EXPECT_GT(later, kStart);
  EXPECT_TRUE(backoff.allows(later));
  EXPECT_FALSE(backoff.allows(later));
  backoff.abandoned(later);
  EXPECT_EQ(backoff.wait(later), milliseconds{0});
  EXPECT_TRUE(backoff.allows(later));
  EXPECT_FALSE(backoff.allows(later));
}

}  // namespace
}  // namespace sosie::net
