// Every instruction set of kernels.inc against the recurrence in double, at all tails, and in one call or several.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "kernels/ssm/ssm.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

class SsmTest : public testing::TestWithParam<Isa> {};

void check_convolution(int64_t n, int64_t n_taps, Isa isa) {
  const std::vector<float> rows = random_values("bell", n_taps * n, 1);
  const std::vector<float> weights = random_values("bell", n_taps * n, 2);
  const std::vector<float> bias = random_values("bell", n, 3);
  std::vector<const float*> taps;
  for (int64_t j = 0; j < n_taps; ++j) taps.push_back(rows.data() + j * n);
  std::vector<float> out(static_cast<size_t>(n) + 1, 7.0F);
  ssm_convolve({.taps = taps.data(),
                .n_taps = n_taps,
                .weights = weights.data(),
                .bias = bias.data(),
                .n = n,
                .out = out.data()},
               isa);
  for (int64_t i = 0; i < n; ++i) {
    double sum = bias[static_cast<size_t>(i)];
    for (int64_t j = 0; j < n_taps; ++j) {
      const auto at = static_cast<size_t>(j * n + i);
      sum += static_cast<double>(weights[at]) * static_cast<double>(rows[at]);
    }
    EXPECT_NEAR(out[static_cast<size_t>(i)], sum, 1e-5) << n << " channels, " << n_taps << " taps";
  }
  EXPECT_EQ(out.back(), 7.0F);
}

TEST_P(SsmTest, ConvolutionsWeighTheLatestRows) {
  for (const int64_t n : {1, 7, 8, 16, 37, 64}) {
    for (const int64_t n_taps : {int64_t{1}, int64_t{4}, kMaxSsmTaps}) check_convolution(n, n_taps, GetParam());
  }
}

struct ScanCase {
  static constexpr int64_t kTokens = 5, kHead = 3;
  int64_t d_state;
  std::vector<float> x, bc, decay, step, state, out;

  explicit ScanCase(int64_t width) : d_state(width) {
    x = random_values("bell", kTokens * (kHead + 2), 4);
    bc = random_values("bell", kTokens * 2 * d_state, 5);
    decay = random_values("bell", kTokens * 2, 6);
    for (float& value : decay) value = 1.0F / (1.0F + std::exp(-value));
    step = random_values("bell", kTokens * 2, 7);
    state = random_values("bell", kHead * d_state, 8);
    out.assign(kTokens * (kHead + 1), 7.0F);
  }
  SsmScan tokens(int64_t begin, int64_t n) {
    return {.n_tokens = n,
            .d_head = kHead,
            .d_state = d_state,
            .x = x.data() + begin * (kHead + 2),
            .b = bc.data() + begin * 2 * d_state,
            .c = bc.data() + begin * 2 * d_state + d_state,
            .decay = decay.data() + begin * 2,
            .step = step.data() + begin * 2,
            .skip = 0.5F,
            .state = state.data(),
            .out = out.data() + begin * (kHead + 1),
            .x_stride = kHead + 2,
            .out_stride = kHead + 1,
            .bc_stride = 2 * d_state,
            .step_stride = 2};
  }
};

// What out[p] of token t is to be; h is the state of value p.
double follow(const ScanCase& scan, int64_t t, int64_t p, double* h) {
  const double x = scan.x[static_cast<size_t>(t * (ScanCase::kHead + 2) + p)];
  const double decay = scan.decay[static_cast<size_t>(2 * t)];
  const double step = scan.step[static_cast<size_t>(2 * t)];
  double sum = 0.5 * x;
  for (int64_t n = 0; n < scan.d_state; ++n) {
    const auto b = static_cast<size_t>(t * 2 * scan.d_state + n);
    h[n] = decay * h[n] + step * x * static_cast<double>(scan.bc[b]);
    sum += h[n] * static_cast<double>(scan.bc[b + static_cast<size_t>(scan.d_state)]);
  }
  return sum;
}

void check_scan(int64_t d_state, Isa isa) {
  ScanCase scan(d_state);
  std::vector<double> h(scan.state.begin(), scan.state.end());
  ssm_scan(scan.tokens(0, ScanCase::kTokens), isa);
  for (int64_t t = 0; t < ScanCase::kTokens; ++t) {
    const float* out = scan.out.data() + t * (ScanCase::kHead + 1);
    for (int64_t p = 0; p < ScanCase::kHead; ++p) {
      EXPECT_NEAR(out[p], follow(scan, t, p, h.data() + p * d_state), 1e-4) << "d_state " << d_state;
    }
    EXPECT_EQ(out[ScanCase::kHead], 7.0F);
  }
  for (size_t i = 0; i < h.size(); ++i) EXPECT_NEAR(scan.state[i], h[i], 1e-4) << "d_state " << d_state;
}

TEST_P(SsmTest, ScansFollowTheRecurrence) {
  for (const int64_t d_state : {1, 3, 8, 16, 33, 64, 77, 128}) check_scan(d_state, GetParam());
}

TEST_P(SsmTest, PartsOfASequenceChangeNoBit) {
  for (const int64_t d_state : {3, 64, 77}) {
    ScanCase whole(d_state);
    ScanCase parts(d_state);
    ssm_scan(whole.tokens(0, ScanCase::kTokens), GetParam());
    ssm_scan(parts.tokens(0, 2), GetParam());
    for (int64_t t = 2; t < ScanCase::kTokens; ++t) ssm_scan(parts.tokens(t, 1), GetParam());
    EXPECT_EQ(whole.out, parts.out);
    EXPECT_EQ(whole.state, parts.state);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SsmTest, testing::ValuesIn(usable_isas().begin(), usable_isas().end()),
                         [](const auto& each) { return std::string(isa_name(each.param)); });

}  // namespace
}  // namespace smelt
