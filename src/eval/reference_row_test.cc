// The bounds that reference_row.h states.
#include "eval/reference_row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "eval/test_rows.h"

namespace smelt {
namespace {

constexpr double kHalfStep = 0.5 / kCodesPerNat;

TEST(ReferenceRow, KeepsLikelyTokensWithinHalfAStep) {
  ReferenceRowEncoder encoder;
  for (const int64_t n_vocab : {2, 3, 512, 32000, 128256}) {
    const std::vector<float> logits = language_like_logits(n_vocab, static_cast<uint64_t>(n_vocab));
    const auto summary = summarize_row(logits);
    const auto row = encoder.encode(logits, 1);
    ASSERT_TRUE(row);
    EXPECT_EQ(row->top, summary->top);
    EXPECT_NEAR(row->true_log_p, -negative_log_likelihood(logits, *summary, 1), 1e-6);
    EXPECT_LE(row->tail, kTailMass);
    EXPECT_TRUE(is_distribution(*row));
    EXPECT_TRUE(std::is_sorted(row->ids.begin(), row->ids.end()));
    for (size_t k = 0; k < row->ids.size(); ++k)
      ASSERT_NEAR(row->codes[k] / kCodesPerNat, negative_log_likelihood(logits, *summary, row->ids[k]),
                  kHalfStep + 1e-9);
  }
}

TEST(ReferenceRow, DropsTheUnlikely) {
  ReferenceRowEncoder encoder;
  const auto row = encoder.encode(language_like_logits(128256, 1, 2.0), 1);
  EXPECT_LT(row->ids.size(), 12000U);
  EXPECT_GT(row->tail, 0);
}

TEST(ReferenceRow, FlatRowsKeepAllTokens) {
  ReferenceRowEncoder encoder;
  const std::vector<float> flat(100000, -3.0F);
  const auto row = encoder.encode(flat, 5);
  ASSERT_TRUE(row);
  EXPECT_EQ(row->ids.size(), flat.size());
  EXPECT_EQ(row->tail, 0);
  EXPECT_NEAR(compare_with_reference_row(*row, flat, 5)->kl, 0, 1e-7);
}

TEST(ReferenceRow, CertainRowsKeepOneToken) {
  ReferenceRowEncoder encoder;
  std::vector<float> logits(1000, 0.0F);
  logits[77] = 5000;
  const auto row = encoder.encode(logits, 5);
  ASSERT_TRUE(row);
  EXPECT_THAT(row->ids, testing::ElementsAre(77));
  EXPECT_FLOAT_EQ(row->true_log_p, -5000);
  const auto same = compare_with_reference_row(*row, logits, 5);
  EXPECT_EQ(same->kl, 0);
  EXPECT_NEAR(same->nll_reference, 5000, 1e-3);
  std::vector<float> other(1000, 0.0F);
  other[3] = 5000;
  const auto opposite = compare_with_reference_row(*row, other, 3);
  EXPECT_NEAR(opposite->kl, 5000, 1e-3);
  EXPECT_FALSE(opposite->same_top);
}

TEST(ReferenceRow, TheWholeRangeOfKeptCodesFits) {
  // As little mass as can be kept, spread over the largest vocabulary, beside one likely token.
  const double n = static_cast<double>(kMaxRowVocab);
  EXPECT_LT((-std::log(kTailMass / n) + 1.0 / 32) * kCodesPerNat, 65535);
}

// What the header of evaluate.h promises, for models near and far: within 1 % + 1e-7, and never more but for rounding.
TEST(ReferenceRow, DivergenceIsNearTheExactOne) {
  ReferenceRowEncoder encoder;
  for (const float noise : {0.0F, 1e-3F, 0.03F, 0.3F, 3.0F}) {
    double exact = 0;
    double stored = 0;
    constexpr int kRows = 60;
    for (uint64_t seed = 0; seed < kRows; ++seed) {
      const std::vector<float> reference = language_like_logits(4096, seed, 0.8 + 0.02 * static_cast<double>(seed));
      const std::vector<float> model = with_noise(reference, noise, seed + 1000);
      exact += compare_rows(reference, model, 9)->kl / kRows;
      stored += compare_with_reference_row(*encoder.encode(reference, 9), model, 9)->kl / kRows;
    }
    EXPECT_NEAR(stored, exact, 0.01 * exact + 1e-7) << noise;
    EXPECT_LE(stored, exact * (1 + 1e-3) + 1e-7) << noise;
  }
}

TEST(ReferenceRow, TheRestCountsAsOneEvent) {
  const std::vector<TokenId> ids = {1};
  const std::vector<uint16_t> codes = {static_cast<uint16_t>(std::lround(std::log(2) * kCodesPerNat))};
  const ReferenceRow row{.top = 1, .true_log_p = -0.5F, .tail = 0.5F, .ids = ids, .codes = codes};
  const auto token = compare_with_reference_row(row, std::vector<float>{0, 0, 0, 0}, 0);  // ¼ each: ½ against ¼ and ¾
  EXPECT_NEAR(token->kl, 0.5 * std::log(2.0) + 0.5 * std::log(0.5 / 0.75), 1e-4);
  EXPECT_NEAR(token->nll_model, std::log(4), 1e-9);
  EXPECT_NEAR(token->nll_reference, 0.5, 1e-9);
}

TEST(ReferenceRow, NonFiniteLogitsAreRefused) {
  ReferenceRowEncoder encoder;
  const std::vector<float> bad = {0, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_FALSE(encoder.encode(bad, 0));
  const auto row = encoder.encode(std::vector<float>{0, 1}, 0);
  EXPECT_FALSE(compare_with_reference_row(*row, bad, 0));
}

}  // namespace
}  // namespace smelt
