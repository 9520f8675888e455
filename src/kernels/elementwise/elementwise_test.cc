// Every instruction set of kernels.inc against the formulas in double, over all tails of a vector.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "kernels/elementwise/elementwise.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

class ElementwiseTest : public testing::TestWithParam<Isa> {};

TEST_P(ElementwiseTest, RmsNorm) {
  for (int64_t n = 1; n <= 67; ++n) {
    const std::vector<float> x = random_values("shifted", n, 1);
    const std::vector<float> weight = random_values("bell", n, 2);
    std::vector<float> out(x.size());
    rms_norm_into(x.data(), weight.data(), n, 1e-5F, out.data(), GetParam());
    double sum = 0;
    for (const float each : x) sum += static_cast<double>(each) * each;
    const double scale = 1 / std::sqrt(sum / static_cast<double>(n) + 1e-5F);
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(out[i], x[i] * scale * weight[i], 4e-6 * std::fabs(x[i] * scale * weight[i]) + 1e-12) << n;
    }
    std::vector<float> in_place = x;
    rms_norm_into(in_place.data(), weight.data(), n, 1e-5F, in_place.data(), GetParam());
    EXPECT_EQ(in_place, out) << n;
  }
}

TEST_P(ElementwiseTest, SwiGlu) {
  for (int64_t n = 1; n <= 67; ++n) {
    std::vector<float> gate = random_values("heavy", n, 3);
    gate[0] = n % 2 == 0 ? -90.0F : 90.0F;  // both ends of the sigmoid
    const std::vector<float> before = gate;
    const std::vector<float> up = random_values("bell", n, 4);
    swiglu_in_place(gate.data(), up.data(), n, GetParam());
    for (size_t i = 0; i < gate.size(); ++i) {
      const double expected = before[i] / (1 + std::exp(-static_cast<double>(before[i]))) * up[i];
      EXPECT_NEAR(gate[i], expected, 4e-6 * std::fabs(expected) + 1e-30) << "silu of " << before[i];
    }
  }
}

TEST_P(ElementwiseTest, Softmax) {
  for (int64_t n = 1; n <= 67; ++n) {
    std::vector<float> x = random_values("outliers", n, 5);
    const std::vector<float> before = x;
    softmax_in_place(x.data(), n, GetParam());
    double total = 0;
    for (const float each : before) total += std::exp(static_cast<double>(each));
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) {
      EXPECT_NEAR(x[i], std::exp(static_cast<double>(before[i])) / total, 4e-6 * x[i] + 1e-12);
      sum += x[i];
    }
    EXPECT_NEAR(sum, 1, 1e-5);
  }
}

TEST_P(ElementwiseTest, SoftmaxOfHugeValuesIsStable) {
  std::vector<float> x = {1e30F, -1e30F, 1e30F, 3};
  softmax_in_place(x.data(), 4, GetParam());
  EXPECT_EQ(x, (std::vector<float>{0.5F, 0, 0.5F, 0}));
}

TEST_P(ElementwiseTest, NotANumberPassesThrough) {
  std::vector<float> x(20, 1.0F);
  x[13] = NAN;
  std::vector<float> softmax = x;
  softmax_in_place(softmax.data(), 20, GetParam());
  EXPECT_TRUE(std::isnan(softmax[0]));
  std::vector<float> gate = x;
  swiglu_in_place(gate.data(), x.data(), 20, GetParam());
  EXPECT_TRUE(std::isnan(gate[13]));
  EXPECT_FALSE(std::isnan(gate[12]));
}

INSTANTIATE_TEST_SUITE_P(All, ElementwiseTest, testing::ValuesIn(usable_isas().begin(), usable_isas().end()),
                         [](const auto& each) { return std::string(isa_name(each.param)); });

TEST(Elementwise, Add) {
  std::vector<float> x = {1, 2, 3};
  const std::vector<float> y = {10, 20, 30};
  add_in_place(x.data(), y.data(), 3);
  EXPECT_EQ(x, (std::vector<float>{11, 22, 33}));
}

TEST(Elementwise, LogSumExp) {
  const std::vector<float> x = {1000.0F, 1000.0F};
  EXPECT_NEAR(log_sum_exp(x.data(), 2), 1000 + std::log(2.0), 1e-12);
  const std::vector<float> small = {-1000.0F, -1001.0F};
  EXPECT_NEAR(log_sum_exp(small.data(), 2), -1000 + std::log1p(std::exp(-1.0)), 1e-9);
}

TEST(Elementwise, AllFinite) {
  std::vector<float> x(100, 1.0F);
  EXPECT_TRUE(all_finite(x.data(), 100));
  for (const float bad : {kInf, -kInf, NAN}) {
    for (const size_t at : {size_t{0}, size_t{57}, size_t{99}}) {
      x[at] = bad;
      EXPECT_FALSE(all_finite(x.data(), 100)) << bad << " at " << at;
      x[at] = 1;
    }
  }
  EXPECT_TRUE(all_finite(x.data(), 0));
}

}  // namespace
}  // namespace smelt
