#include "index/kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace sosie::index {
namespace {

class EveryIsa : public testing::TestWithParam<Isa> {
 protected:
  void SetUp() override {
    kernels_ = kernels_for(GetParam());
    if (kernels_ == nullptr) GTEST_SKIP() << "this CPU has no " << to_string(GetParam());
  }
  const Kernels* kernels_ = nullptr;
};

std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// Within the rounding of a sum of n products in at least eight lanes.
void expect_near_exact(float got, const float* a, const float* b, std::size_t n) {
  double exact = 0, size = 0;
  for (std::size_t i = 0; i < n; ++i) {
    exact += double{a[i]} * b[i];
    size += std::abs(double{a[i]} * b[i]);
  }
  const double bound = (static_cast<double>(n) / 8 + 8) * std::numeric_limits<float>::epsilon() * size;
  EXPECT_NEAR(got, exact, bound + 1e-30) << "n = " << n;
}

TEST_P(EveryIsa, DotAgreesWithTheExactSumAndWithScalarInEveryDimension) {
  // Odd offsets: nothing may rely on alignment.
  const auto a = noise(1101, 1), b = noise(1101, 2);
  const Kernels& scalar = *kernels_for(Isa::scalar);
  for (std::size_t n = 1; n <= 1100; ++n) {
    const float got = kernels_->dot(a.data() + 1, b.data() + 1, n);
    expect_near_exact(got, a.data() + 1, b.data() + 1, n);
    double size = 0;
    for (std::size_t i = 1; i <= n; ++i) size += std::abs(double{a[i]} * b[i]);
    EXPECT_NEAR(got, scalar.dot(a.data() + 1, b.data() + 1, n), 1e-6 * size) << "n = " << n;
  }
}

TEST_P(EveryIsa, ARowsProductIsTheSameWhereverItStands) {
  for (std::size_t n : {1, 7, 8, 15, 16, 17, 31, 32, 33, 48, 63, 100, 384, 385, 768, 1100}) {
    const std::size_t stride = n + 3;
    const auto query = noise(n, 3);
    for (std::size_t count = 0; count <= 11; ++count) {
      const auto rows = noise(count * stride + n, 4);
      std::vector<float> out(count + 1, 42.0f);
      kernels_->dot_rows(query.data(), rows.data(), stride, count, n, out.data());
      for (std::size_t r = 0; r < count; ++r) {
        EXPECT_EQ(out[r], kernels_->dot(query.data(), rows.data() + r * stride, n)) << n << " " << r << "/" << count;
      }
      EXPECT_EQ(out[count], 42.0f) << "written beyond the end";
    }
  }
}

TEST_P(EveryIsa, ReadsNothingBeyondTheEnd) {
  // Not-a-number right behind both vectors would poison the sum; the address sanitizer sees the rest.
  for (std::size_t n = 1; n <= 70; ++n) {
    std::vector<float> a(n + 64, std::numeric_limits<float>::quiet_NaN()), b = a;
    for (std::size_t i = 0; i < n; ++i) a[i] = b[i] = 1.0f;
    EXPECT_EQ(kernels_->dot(a.data(), b.data(), n), static_cast<float>(n));
  }
}

TEST_P(EveryIsa, SpecialValuesPassThrough) {
  std::vector<float> a(384, 0.0f), b(384, 1.0f);
  EXPECT_EQ(kernels_->dot(a.data(), b.data(), 384), 0.0f);
  a[200] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(kernels_->dot(a.data(), b.data(), 384)));
}

INSTANTIATE_TEST_SUITE_P(Kernels, EveryIsa, testing::Values(Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon),
                         [](const auto& tested) { return std::string(to_string(tested.param)); });

TEST(Kernels, TheBestOneIsChosenUnlessForced) {
  // ctest runs this binary once more for each forced instruction set; see CMakeLists.txt.
  const char* forced = std::getenv("SOSIE_FORCE_ISA");
  if (forced != nullptr && *forced != '\0') {
    for (Isa isa : {Isa::scalar, Isa::avx2, Isa::avx512, Isa::neon}) {
      if (to_string(isa) == forced && kernels_for(isa) == nullptr) GTEST_SKIP() << "this CPU has no " << forced;
    }
    EXPECT_EQ(to_string(kernels().isa), forced);
    return;
  }
  for (Isa isa : {Isa::avx512, Isa::avx2, Isa::neon, Isa::scalar}) {
    if (kernels_for(isa) == nullptr) continue;
    EXPECT_EQ(kernels().isa, isa);
    break;
  }
}

TEST(Kernels, ForcedSetsAreDifferentCode) {
  const Kernels* scalar = kernels_for(Isa::scalar);
  ASSERT_NE(scalar, nullptr);
  for (Isa isa : {Isa::avx2, Isa::avx512, Isa::neon}) {
    const Kernels* other = kernels_for(isa);
    if (other == nullptr) continue;
    EXPECT_EQ(other->isa, isa);
    EXPECT_NE(other->dot, scalar->dot);
    EXPECT_NE(other->dot_rows, scalar->dot_rows);
  }
}

}  // namespace
}  // namespace sosie::index
