#include "embed/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

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

TEST_P(KernelsTest, Dequantizes) {
  for (const std::size_t n : kLengths) {
    const auto scale = noise(n, 7), sum = noise(n, 8), bias = noise(n, 9);
    std::vector<std::int32_t> acc(n);
    for (std::size_t i = 0; i < n; ++i) acc[i] = static_cast<std::int32_t>(i * 7919) - 50'000;
    std::vector<float> out(n);
    k().dequantize(acc.data(), {0.01F, -0.5F}, {scale.data(), sum.data(), bias.data()}, n, out.data());
    for (std::size_t i = 0; i < n; ++i) {
      const double exact = double{0.01F} * scale[i] * acc[i] - 0.5 * sum[i] + bias[i];
      EXPECT_NEAR(out[i], exact, 1e-5 * std::max(1.0, std::abs(exact))) << n;
    }
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

INSTANTIATE_TEST_SUITE_P(EveryIsa, KernelsTest, testing::Values(Isa::scalar, Isa::avx2, Isa::avx512),
                         [](const auto& info) { return std::string(to_string(info.param)); });

}  // namespace
}  // namespace sosie::embed
