#include "store/text_cache.h"

#include <gtest/gtest.h>

namespace sosie::store {
namespace {

std::shared_ptr<const Entry> entry(std::size_t response_bytes) {
  Entry made;
  made.response.assign(response_bytes, 'r');
  return std::make_shared<const Entry>(std::move(made));
}

TEST(TextCache, KeepsTheMostRecentlyUsedUnderItsBound) {
  TextCache cache(10'000);
  for (int row = 0; row < 4; ++row) cache.insert(row, entry(2'000));
  EXPECT_NE(cache.find(0), nullptr);  // Now the most recent.
  cache.insert(4, entry(2'000));
  EXPECT_NE(cache.find(0), nullptr);
  EXPECT_EQ(cache.find(1), nullptr);
  EXPECT_LE(cache.bytes(), 10'000u);
}

TEST(TextCache, WhatIsTooLargeIsNotKeptAndPushesNothingOut) {
  TextCache cache(10'000);
  cache.insert(1, entry(100));
  cache.insert(2, entry(20'000));
  EXPECT_NE(cache.find(1), nullptr);
  EXPECT_EQ(cache.find(2), nullptr);
}

TEST(TextCache, ErasingGivesTheBytesBack) {
  TextCache cache(10'000);
  cache.insert(1, entry(100));
  cache.insert(1, entry(200));  // Two readers may bring the same row.
  cache.insert(2, entry(100));
  cache.erase(1);
  EXPECT_EQ(cache.find(1), nullptr);
  EXPECT_NE(cache.find(2), nullptr);
  cache.erase(2);
  cache.erase(2);
  EXPECT_EQ(cache.bytes(), 0u);
}

}  // namespace
}  // namespace sosie::store
