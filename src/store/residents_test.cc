#include "store/residents.h"

#include <gtest/gtest.h>

namespace sosie::store {
namespace {

constexpr index::RowId id(std::uint64_t n) { return {0, n}; }

// Two floats and a response of 92 bytes: 100 bytes.
void add(Residents& residents, std::uint64_t n, double cost, std::int64_t expires_ms = kNever, std::int64_t sliding_ttl_ms = 0) {
  StoredEntry entry;
  entry.row = static_cast<std::int64_t>(n);
  entry.id = format_id(id(n));
  entry.dimension = 2;
  entry.response_bytes = 92;
  entry.cost = cost;
  entry.expires_ms = expires_ms;
  entry.sliding_ttl_ms = sliding_ttl_ms;
  residents.add(residents.make(std::move(entry)), std::vector<float>{1, 0});
}

std::vector<std::uint64_t> order_of_leaving(Residents& residents) {
  std::vector<std::uint64_t> order;
  residents.for_least_valuable([&](Record* record) {
    order.push_back(record->id.low);
    return true;
  });
  return order;
}

TEST(Residents, IdsAreReadAndWritten) {
  const std::string text = "0123456789abcdef0fedcba987654321";
  ASSERT_TRUE(parse_id(text).has_value());
  EXPECT_EQ(*parse_id(text), (index::RowId{0x0123456789abcdef, 0x0fedcba987654321}));
  EXPECT_EQ(format_id(*parse_id(text)), text);
  for (std::string_view bad : {"", "0123", "0123456789ABCDEF0fedcba987654321", "0123456789abcdef0fedcba98765432g",
                               "0123456789abcdef0fedcba9876543210"}) {
    EXPECT_FALSE(parse_id(bad).has_value()) << bad;
  }
}

TEST(Residents, TheLeastCostlyLeaveFirstThenTheOldest) {
  Residents residents;
  add(residents, 1, 300);
  add(residents, 2, 100);
  add(residents, 3, 200);
  add(residents, 4, 100);
  EXPECT_EQ(order_of_leaving(residents), (std::vector<std::uint64_t>{2, 4, 3, 1}));
}

TEST(Residents, HitsRaiseAnEntry) {
  Residents residents;
  add(residents, 1, 100);
  add(residents, 2, 150);
  add(residents, 3, 250);
  residents.touch(id(1), 0);
  EXPECT_EQ(order_of_leaving(residents), (std::vector<std::uint64_t>{2, 1, 3}));
  residents.touch(id(1), 0);
  residents.touch(id(2), 0);
  EXPECT_EQ(order_of_leaving(residents), (std::vector<std::uint64_t>{3, 1, 2}));
}

TEST(Residents, EntriesThatNobodyAsksForGrowOld) {
  Residents residents;
  add(residents, 1, 500);  // Worth five a byte.
  residents.age(4.5);      // Something of priority 4.5 has left since.
  add(residents, 2, 100);  // 4.5 and one.
  EXPECT_EQ(order_of_leaving(residents), (std::vector<std::uint64_t>{1, 2}));
}

TEST(Residents, SlidingExpiryIsFoundWhereItMovedTo) {
  Residents residents;
  add(residents, 1, 1, 100, 50);
  add(residents, 2, 1, 110);
  add(residents, 3, 1);
  residents.touch(id(1), 90);  // Now 140.
  const auto expired = [&](std::int64_t now) {
    std::vector<std::uint64_t> found;
    residents.for_expired(now, [&](Record* record) {
      found.push_back(record->id.low);
      return true;
    });
    return found;
  };
  EXPECT_EQ(expired(99), (std::vector<std::uint64_t>{}));
  EXPECT_EQ(expired(139), (std::vector<std::uint64_t>{2}));
  EXPECT_EQ(expired(140), (std::vector<std::uint64_t>{2, 1}));
  residents.touch(id(1), 150);  // Too late.
  EXPECT_EQ(expired(150), (std::vector<std::uint64_t>{2, 1}));
}

TEST(Residents, TouchedRecordsAreTakenOnce) {
  Residents residents;
  for (std::uint64_t n = 1; n <= 3; ++n) add(residents, n, 1);
  residents.touch(id(1), 0);
  residents.touch(id(1), 0);
  residents.touch(id(2), 0);
  auto taken = residents.take_touched(10);
  EXPECT_EQ(taken.size(), 2u);
  EXPECT_TRUE(residents.take_touched(10).empty());
  residents.give_back_touched(taken);
  residents.touch(id(2), 0);
  EXPECT_EQ(residents.take_touched(1).size(), 1u);
  EXPECT_EQ(residents.take_touched(10).size(), 1u);
}

}  // namespace
}  // namespace sosie::store
