#include "embed/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>
#include <utility>
#include <vector>

#include "embed/byte_matrix.h"

namespace sosie::embed {
namespace {

// Lengths around a vector's 16 lanes, and the default model's.
constexpr std::size_t kLengths[] = {1, 7, 15, 16, 17, 31, 33, 40, 384, 1536};

std::vector<float> noise(std::size_t n, unsigned seed, float reach = 3) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> value(-reach, reach);
  std::vector<float> out(n);
  for (float& v : out) v = value(random);
  return out;
}

class KernelsTest : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    if (kernels_for(GetParam()) == nullptr) GTEST_SKIP() << "this CPU has no " << to_string(GetParam());
  }
  const Kernels& k() const { return *kernels_for(GetParam()); }
};

TEST_P(KernelsTest, AddNorm) {
  for (const std::size_t n : kLengths) {
    const auto a = noise(n, 1), b = noise(n, 2), gamma = noise(n, 3), beta = noise(n, 4);
    double mean = 0, variance = 0;
    for (std::size_t i = 0; i < n; ++i) mean += (double{a[i]} + b[i]) / static_cast<double>(n);
    for (std::size_t i = 0; i < n; ++i) variance += std::pow(double{a[i]} + b[i] - mean, 2) / static_cast<double>(n);
    std::vector<float> out(n), in_place = a;
    k().add_norm(a.data(), b.data(), {gamma.data(), beta.data(), 1e-5F}, n, out.data());
    k().add_norm(in_place.data(), b.data(), {gamma.data(), beta.data(), 1e-5F}, n, in_place.data());
    for (std::size_t i = 0; i < n; ++i) {
      EXPECT_NEAR(out[i], (double{a[i]} + b[i] - mean) / std::sqrt(variance + 1e-5) * gamma[i] + beta[i], 1e-5) << n;
    }
    EXPECT_EQ(out, in_place);
  }
}

TEST_P(KernelsTest, Activations) {
  std::vector<float> x = noise(999, 5, 12);
  x.insert(x.end(), {0.0F, -0.0F, 1e-20F, -1e-20F, 50.0F, -50.0F, 1000.0F, -1000.0F});
  auto gelu = x, tanh = x, relu = x;
  k().gelu(gelu.data(), x.size());
  k().gelu_tanh(tanh.data(), x.size());
  k().relu(relu.data(), x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    const double scale = std::max(1.0, std::abs(v));
    EXPECT_NEAR(gelu[i], v * (1 + std::erf(v / std::sqrt(2.0))) / 2, 1e-6 * scale) << v;
    EXPECT_NEAR(tanh[i], v * (1 + std::tanh(std::sqrt(2 / M_PI) * (v + 0.044715 * v * v * v))) / 2, 1e-6 * scale) << v;
    EXPECT_EQ(relu[i], std::max(x[i], 0.0F));
  }
}

TEST_P(KernelsTest, QuantisesWithinHalfAStepAndBack) {
  for (const std::size_t n : kLengths) {
    const auto x = noise(n, 6);
    std::vector<std::uint8_t> q(n + 1, 77);
    const RowScale row = k().quantize(x.data(), n, q.data());
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(row.low + row.scale * q[i], x[i], row.scale * 0.501F + 1e-6F) << n;
    EXPECT_EQ(q[n], 77);  // Nothing is written beyond the row.
  }
  const std::vector<float> flat(20, 1.5F);
  std::vector<std::uint8_t> q(20);
  const RowScale row = k().quantize(flat.data(), 20, q.data());
  EXPECT_EQ(row.scale, 0);
  EXPECT_EQ(row.low, 1.5F);
}

// Rows, depth and columns around what a tile holds, and the default model's.
TEST_P(KernelsTest, MultipliesBytes) {
  for (const auto& [depth, columns] : {std::pair<std::size_t, std::size_t>{1, 1}, {17, 50}, {36, 16}, {384, 65}, {1536, 48}}) {
    const auto weight = noise(depth * columns, 7), bias = noise(columns, 8);
    const ByteMatrix matrix(weight, bias, depth, columns);
    for (const std::size_t rows : {1, 2, 3, 5, 6, 7, 8, 9, 13, 17, 33}) {
      const std::size_t stride = padded_depth(depth);
      std::mt19937 random(9);
      std::vector<std::uint8_t> left(rows * stride);
      for (auto& byte : left) byte = static_cast<std::uint8_t>(random() % 3 == 0 ? 255 : random());
      std::vector<RowScale> scales(rows);
      for (std::size_t r = 0; r < rows; ++r) scales[r] = {0.01F + 0.001F * static_cast<float>(r), -0.5F};
      const ByteRows row_view{left.data(), scales.data(), rows, stride};
      std::vector<float> out(rows * columns + 1, 77), same(rows * columns);
      k().multiply_bytes(row_view, matrix.view(), out.data());
      kernels_for(Isa::scalar)->multiply_bytes(row_view, matrix.view(), same.data());
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t n = 0; n < columns; ++n) {
          std::int64_t sum = 0;
          for (std::size_t d = 0; d < depth; ++d) sum += left[r * stride + d] * matrix.at(d, n);
          const double wanted = double{scales[r].scale} * matrix.view().scale[n] * static_cast<double>(sum) + double{scales[r].low} * matrix.view().sum[n] + bias[n];
          ASSERT_NEAR(out[r * columns + n], wanted, 1e-5 * std::max(1.0, std::abs(wanted))) << depth << " by " << columns << ", row " << r;
          ASSERT_EQ(out[r * columns + n], same[r * columns + n]);
        }
      }
      EXPECT_EQ(out.back(), 77);  // Nothing is written beyond the product.
    }
  }
}

// The largest sums that the bound of ByteMatrix allows: every weight of one sign, every byte of the left side at its largest.
TEST_P(KernelsTest, SumsOfBytesAtTheBoundAreExact) {
  for (const float w : {1.0F, -1.0F}) {
    const std::size_t depth = 1536, columns = 48, rows = 9;
    const std::vector<float> weight(depth * columns, w), bias(columns);
    const ByteMatrix matrix(weight, bias, depth, columns);
    ASSERT_EQ(matrix.at(0, 0), w > 0 ? 16 : -16);
    const std::vector<std::uint8_t> left(rows * depth, 255);
    const std::vector<RowScale> scales(rows, {1, 0});
    std::vector<float> out(rows * columns);
    k().multiply_bytes({left.data(), scales.data(), rows, depth}, matrix.view(), out.data());
    for (const float v : out) EXPECT_EQ(v, w * 16.0F * 255 * static_cast<float>(depth) * matrix.view().scale[0]);
  }
}

TEST_P(KernelsTest, RoundsToBf16LikeTheScalarSet) {
  for (const std::size_t n : kLengths) {
    const auto x = noise(n, 10);
    std::vector<std::uint16_t> got(n), want(n);
    k().to_bf16(x.data(), n, got.data());
    kernels_for(Isa::scalar)->to_bf16(x.data(), n, want.data());
    EXPECT_EQ(got, want);
  }
}

TEST_P(KernelsTest, AddsBias) {
  for (const std::size_t n : kLengths) {
    auto x = noise(n, 11);
    const auto before = x, bias = noise(n, 12);
    k().add_bias(x.data(), bias.data(), n);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(x[i], before[i] + bias[i]);
  }
}

TEST_P(KernelsTest, Attention) {
  for (const std::size_t width : {16, 20, 32, 40, 64}) {
    for (const std::size_t rows : {1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 50}) {
      const std::size_t heads = 2, hidden = heads * width;
      const auto qkv = noise(rows * 3 * hidden, 13);
      const AttentionShape shape{rows, heads, width};
      std::vector<float> scratch(attention_scratch(shape), NAN), out(rows * hidden);
      k().attention(qkv.data(), shape, scratch.data(), out.data());
      const auto at = [&](std::size_t row, std::size_t part, std::size_t i) { return double{qkv[row * 3 * hidden + part * hidden + i]}; };
      for (std::size_t h = 0; h < heads; ++h) {
        for (std::size_t i = 0; i < rows; ++i) {
          std::vector<double> weight(rows);
          double high = -1e300, total = 0;
          for (std::size_t j = 0; j < rows; ++j) {
            for (std::size_t c = 0; c < width; ++c) weight[j] += at(i, 0, h * width + c) * at(j, 1, h * width + c) / std::sqrt(static_cast<double>(width));
            high = std::max(high, weight[j]);
          }
          for (double& w : weight) total += w = std::exp(w - high);
          for (std::size_t c = 0; c < width; ++c) {
            double want = 0;
            for (std::size_t j = 0; j < rows; ++j) want += weight[j] / total * at(j, 2, h * width + c);
            ASSERT_NEAR(out[i * hidden + h * width + c], want, 2e-5) << width << " wide, " << rows << " rows";
          }
        }
      }
    }
  }
}

TEST_P(KernelsTest, SameBitsAsTheScalarSet) {
  const Kernels& scalar = *kernels_for(Isa::scalar);
  const auto bits = [](const std::vector<float>& x) {
    std::vector<std::uint32_t> out(x.size());
    std::memcpy(out.data(), x.data(), x.size() * sizeof(float));
    return out;
  };
  for (const std::size_t n : kLengths) {
    for (unsigned seed = 20; seed < 40; ++seed) {
      const auto x = noise(n, seed, static_cast<float>(seed - 19)), b = noise(n, seed + 100), gamma = noise(n, seed + 200);
      auto ours = x, theirs = x;
      const auto expect_same = [&](const char* what) { EXPECT_EQ(bits(ours), bits(theirs)) << what << ", " << n << " floats"; };
      k().gelu(ours.data(), n);
      scalar.gelu(theirs.data(), n);
      expect_same("gelu");
      ours = theirs = x;
      k().gelu_tanh(ours.data(), n);
      scalar.gelu_tanh(theirs.data(), n);
      expect_same("gelu_tanh");
      ours = theirs = x;
      k().relu(ours.data(), n);
      scalar.relu(theirs.data(), n);
      expect_same("relu");
      k().add_norm(x.data(), b.data(), {gamma.data(), b.data(), 1e-12F}, n, ours.data());
      scalar.add_norm(x.data(), b.data(), {gamma.data(), b.data(), 1e-12F}, n, theirs.data());
      expect_same("add_norm");
      std::vector<std::uint8_t> our_bytes(n), their_bytes(n);
      const RowScale our_scale = k().quantize(x.data(), n, our_bytes.data()), their_scale = scalar.quantize(x.data(), n, their_bytes.data());
      EXPECT_EQ(our_bytes, their_bytes);
      EXPECT_EQ(our_scale.scale, their_scale.scale);
      EXPECT_EQ(our_scale.low, their_scale.low);
    }
  }
  for (const std::size_t width : {16, 20, 32, 40, 64}) {
    for (const std::size_t rows : {1, 2, 5, 6, 7, 8, 9, 16, 17, 33, 50}) {
      const AttentionShape shape{rows, 2, width};
      // Large scores too: their differences reach below what e^x keeps.
      const auto qkv = noise(rows * 6 * width, 14, rows % 2 == 0 ? 3 : 12);
      std::vector<float> scratch(attention_scratch(shape), NAN), ours(rows * 2 * width), theirs(rows * 2 * width);
      k().attention(qkv.data(), shape, scratch.data(), ours.data());
      scalar.attention(qkv.data(), shape, scratch.data(), theirs.data());
      EXPECT_EQ(bits(ours), bits(theirs)) << width << " wide, " << rows << " rows";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryIsa, KernelsTest, testing::ValuesIn(base::kBestIsaFirst),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace sosie::embed
