// Rows whose probabilities are known by hand.
#include "eval/logit_row.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace smelt {
namespace {

// Logits of these probabilities, shifted as a softmax does not mind.
std::vector<float> logits_of(const std::vector<double>& probabilities, double shift = 0) {
  std::vector<float> out;
  for (const double p : probabilities) out.push_back(static_cast<float>(std::log(p) + shift));
  return out;
}

TEST(LogitRow, LikelihoodIsThatOfTheSoftmax) {
  const std::vector<float> row = logits_of({0.125, 0.25, 0.5, 0.125}, 3);
  const auto summary = summarize_row(row);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->top, 2);
  EXPECT_NEAR(negative_log_likelihood(row, *summary, 1), std::log(4), 1e-6);
  EXPECT_NEAR(negative_log_likelihood(row, *summary, 3), std::log(8), 1e-6);
}

TEST(LogitRow, HugeLogitsDoNotOverflow) {
  constexpr float kHuge = 3e38F;
  const std::vector<float> row = {-kHuge, kHuge, kHuge};
  const auto summary = summarize_row(row);
  ASSERT_TRUE(summary);
  EXPECT_NEAR(negative_log_likelihood(row, *summary, 1), std::log(2), 1e-6 * kHuge);
  EXPECT_TRUE(std::isfinite(negative_log_likelihood(row, *summary, 0)));
}

TEST(LogitRow, OfSeveralTopsTheLowestId) { EXPECT_EQ(summarize_row(std::vector<float>{1, 5, 5, 2})->top, 1); }

TEST(LogitRow, NonFiniteLogitsAreRefused) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    const std::vector<float> row = {0, bad, 1};
    const std::vector<float> good = {0, 0, 1};
    EXPECT_FALSE(summarize_row(row));
    EXPECT_FALSE(compare_rows(row, good, 0));
    EXPECT_FALSE(compare_rows(good, row, 0));
  }
  EXPECT_FALSE(summarize_row({}));
}

TEST(LogitRow, ComparisonByHand) {
  const std::vector<float> reference = logits_of({0.5, 0.25, 0.25}, -7);
  const std::vector<float> model = logits_of({0.25, 0.5, 0.25}, 11);
  const auto token = compare_rows(reference, model, 0);
  ASSERT_TRUE(token);
  EXPECT_NEAR(token->kl, 0.25 * std::log(2), 1e-6);  // 0.5 ln 2 - 0.25 ln 2
  EXPECT_NEAR(token->nll_reference, std::log(2), 1e-6);
  EXPECT_NEAR(token->nll_model, std::log(4), 1e-6);
  EXPECT_FALSE(token->same_top);
}

TEST(LogitRow, DivergenceIsNotSymmetric) {
  const std::vector<float> a = logits_of({0.9, 0.1});
  const std::vector<float> b = logits_of({0.5, 0.5});
  EXPECT_NEAR(compare_rows(a, b, 0)->kl, 0.9 * std::log(1.8) + 0.1 * std::log(0.2), 1e-6);
  EXPECT_NEAR(compare_rows(b, a, 0)->kl, 0.5 * std::log(0.5 / 0.9) + 0.5 * std::log(5.0), 1e-6);
}

TEST(LogitRow, EqualRowsDoNotDiverge) {
  const std::vector<float> row = logits_of({0.7, 0.2, 0.1});
  const auto token = compare_rows(row, row, 2);
  EXPECT_NEAR(token->kl, 0, 1e-15);
  EXPECT_GE(token->kl, 0);
  EXPECT_TRUE(token->same_top);
}

}  // namespace
}  // namespace smelt
