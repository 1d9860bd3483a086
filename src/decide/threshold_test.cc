#include "decide/threshold.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace sosie::decide {
namespace {

TEST(Threshold, AcceptsTheClosedUnitIntervalOnly) {
  for (double ok : {0.0, 0.5, 0.85, 1.0}) EXPECT_TRUE(check_threshold({ok})) << ok;
  for (double bad : {-0.001, 1.001, std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    auto checked = check_threshold({bad});
    ASSERT_FALSE(checked) << bad;
    EXPECT_EQ(checked.error().code, ErrorCode::invalid_argument);
  }
}

TEST(Threshold, OneMeansTheSameText) {
  EXPECT_EQ(reported({0.9999999}, true).value, 1);
  EXPECT_LT(reported({1.0000001}, false).value, 1);
  EXPECT_FALSE(accepts(reported({1.0}, false), {1}));
  EXPECT_TRUE(accepts(reported({0.9999998}, true), {1}));
}

TEST(Threshold, IsInclusive) {
  EXPECT_TRUE(accepts({0.85}, {0.85}));
  EXPECT_FALSE(accepts({std::nextafter(0.85, 0)}, {0.85}));
}

TEST(Threshold, TheFloorNeverHidesWhatWouldBeAccepted) {
  for (double t = 0; t <= 1; t += 0.01) {
    const Similarity threshold{t};
    EXPECT_LE(search_floor(threshold), threshold);
    // The same text, with the rounding that float32 dot products show.
    EXPECT_GE(Similarity{0.9999992}, search_floor(threshold));
  }
}

TEST(Threshold, ZeroAcceptsEveryNonNegativeCosine) {
  EXPECT_TRUE(accepts(reported({0}, false), {0}));
  EXPECT_FALSE(accepts(reported({-0.01}, false), {0}));
}

TEST(Threshold, AServersDistanceIsComparedAsTheServerDoes) {
  // RediSearch computes in float32: the nearest one to 0.2 is a hit at 0.8, as it is for the server itself.
  EXPECT_TRUE(accepts(CosineDistance{0.200000002980}, false, {0.8}));
  EXPECT_FALSE(accepts(CosineDistance{0.2000002}, false, {0.8}));
  EXPECT_FALSE(accepts(CosineDistance{0}, false, {1}));
  EXPECT_TRUE(accepts(CosineDistance{1.2e-7}, true, {1}));
  for (double t = 0; t <= 1; t += 0.01) {
    // What the radius leaves out would not have been accepted.
    EXPECT_FALSE(accepts(CosineDistance{search_radius({t}).value + 1e-6}, false, {t}));
  }
  EXPECT_GE(search_radius({1}).value, 1e-6);
}

TEST(Threshold, ASharedHistoryLeavesLessRoom) {
  EXPECT_NEAR(threshold_for_part({0.8}, 0.25).value, 0.95, 1e-12);
  EXPECT_EQ(threshold_for_part({0.8}, 0).value, 1);
  EXPECT_NEAR(threshold_for_part({0.8}, 7).value, 0.8, 1e-12);
}

}  // namespace
}  // namespace sosie::decide
