#include "embed/byte_matrix.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace sosie::embed {
namespace {

constexpr struct {
  std::size_t depth, columns;
} kSizes[] = {{1, 1}, {15, 17}, {16, 16}, {36, 50}, {160, 33}, {384, 48}};

std::vector<float> normal(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> value(0.0F, 0.05F);
  std::vector<float> out(n);
  for (float& v : out) v = value(random);
  return out;
}

// The sums of positive and of negative weights that meet in each 16-bit sum.
void expect_bound(const ByteMatrix& matrix, std::size_t depth, std::size_t columns) {
  for (std::size_t n = 0; n < columns; ++n) {
    for (std::size_t d = 0; d < depth; d += 16) {
      int positive[2] = {}, negative[2] = {};
      for (std::size_t i = 0; i < 16 && d + i < depth; ++i) {
        const int w = matrix.at(d + i, n);
        ASSERT_GE(w, -127);
        (w > 0 ? positive : negative)[i / 2 % 2] += w;
      }
      for (const int half : {0, 1}) {
        ASSERT_LE(positive[half], 128);
        ASSERT_GE(negative[half], -128);
      }
    }
  }
}

TEST(ByteMatrix, KeepsTheBoundAndIsNearTheWeights) {
  for (const auto& [depth, columns] : kSizes) {
    const auto weight = normal(depth * columns, 1), bias = normal(columns, 2);
    const ByteMatrix matrix(weight, bias, depth, columns);
    expect_bound(matrix, depth, columns);
    const ByteColumns view = matrix.view();
    EXPECT_EQ(view.columns, columns);
    EXPECT_EQ(view.depth, padded_depth(depth));
    double error = 0, size = 0;
    for (std::size_t n = 0; n < columns; ++n) {
      int sum = 0;
      for (std::size_t d = 0; d < depth; ++d) {
        const double w = double{weight[n * depth + d]}, got = double{view.scale[n]} * matrix.at(d, n);
        error += (w - got) * (w - got);
        size += w * w;
        sum += matrix.at(d, n);
      }
      EXPECT_NEAR(view.sum[n], view.scale[n] * static_cast<float>(sum), 1e-6);
      EXPECT_EQ(view.bias[n], bias[n]);
    }
    EXPECT_LT(error, 0.0016 * size);  // 4 % of a weight, as the root of the mean square.
  }
}

TEST(ByteMatrix, WeightsThatAllHaveOneSignGiveWay) {
  for (const float w : {0.5F, -0.5F}) {
    const std::vector<float> weight(64 * 3, w), bias(3);
    const ByteMatrix matrix(weight, bias, 64, 3);
    expect_bound(matrix, 64, 3);
    for (std::size_t d = 0; d < 64; ++d) EXPECT_EQ(matrix.at(d, 1), w > 0 ? 16 : -16);
  }
}

TEST(ByteMatrix, WeightsOfZeroAndTinyOnesStayFinite) {
  for (const float w : {0.0F, 1e-38F, 1e-42F}) {
    const std::vector<float> weight(32, w), bias(2, 3.0F);
    const ByteMatrix matrix(weight, bias, 16, 2);
    for (std::size_t n = 0; n < 2; ++n) EXPECT_EQ(matrix.view().scale[n], 0);
  }
}

}  // namespace
}  // namespace sosie::embed
