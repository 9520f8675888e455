// Every instruction set of kernels.inc against complex multiplication in double, in both layouts.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <vector>

#include "kernels/rope/rope.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

struct Case {
  Isa isa;
  RopeLayout layout;
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const Isa isa : usable_isas()) {
    for (const RopeLayout layout : {RopeLayout::interleaved, RopeLayout::half_split}) cases.push_back({isa, layout});
  }
  return cases;
}

class RopeTest : public testing::TestWithParam<Case> {};

TEST_P(RopeTest, PairsTurnByTheAngle) {
  const auto [isa, layout] = GetParam();
  constexpr int64_t kHeads = 3;
  for (const int64_t n_rope : {2, 6, 16, 26, 64}) {
    const int64_t d_head = n_rope + 4;  // the last four stay
    const auto half = static_cast<size_t>(n_rope / 2);
    std::vector<float> inv_freq(half);
    for (size_t i = 0; i < half; ++i)
      inv_freq[i] = std::pow(10000.0F, -2.0F * static_cast<float>(i) / static_cast<float>(n_rope));
    std::vector<float> cos(half);
    std::vector<float> sin(half);
    rope_angles_into(inv_freq.data(), n_rope, 1234, cos.data(), sin.data());
    const std::vector<float> before = random_values("bell", kHeads * d_head, 5);
    std::vector<float> x = before;
    rope_in_place(x.data(), kHeads, d_head, {n_rope, layout, cos.data(), sin.data()}, isa);
    for (int64_t h = 0; h < kHeads; ++h) {
      const size_t base = static_cast<size_t>(h * d_head);
      for (size_t i = 0; i < half; ++i) {
        const bool adjacent = layout == RopeLayout::interleaved;
        const size_t a = base + (adjacent ? 2 * i : i);
        const size_t b = base + (adjacent ? 2 * i + 1 : i + half);
        const std::complex<double> turned =
            std::complex<double>(before[a], before[b]) * std::polar(1.0, 1234.0 * inv_freq[i]);
        EXPECT_NEAR(x[a], turned.real(), 1e-3) << "n_rope " << n_rope << ", pair " << i;
        EXPECT_NEAR(x[b], turned.imag(), 1e-3) << "n_rope " << n_rope << ", pair " << i;
        // Exact angles would need double; what is rotated must keep its length to rounding.
        EXPECT_NEAR(std::hypot(x[a], x[b]), std::hypot(before[a], before[b]), 1e-6);
      }
      for (size_t i = base + static_cast<size_t>(n_rope); i < base + static_cast<size_t>(d_head); ++i) {
        EXPECT_EQ(x[i], before[i]);
      }
    }
  }
}

TEST_P(RopeTest, PositionZeroChangesNothing) {
  const auto [isa, layout] = GetParam();
  const std::vector<float> inv_freq = {1.0F, 0.1F, 0.01F, 0.001F};
  std::vector<float> cos(4);
  std::vector<float> sin(4);
  rope_angles_into(inv_freq.data(), 8, 0, cos.data(), sin.data());
  const std::vector<float> before = random_values("bell", 8, 6);
  std::vector<float> x = before;
  rope_in_place(x.data(), 1, 8, {8, layout, cos.data(), sin.data()}, isa);
  EXPECT_EQ(x, before);
}

INSTANTIATE_TEST_SUITE_P(All, RopeTest, testing::ValuesIn(all_cases()), [](const auto& each) {
  return std::string(isa_name(each.param.isa)) +
         (each.param.layout == RopeLayout::interleaved ? "_interleaved" : "_half_split");
});

}  // namespace
}  // namespace smelt
