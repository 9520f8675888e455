// One row of logits as a distribution, and two of them compared. Sums are in double over f32 logits.
#pragma once

#include <optional>
#include <span>

#include "tokenizers/vocab.h"

namespace smelt {

struct RowSummary {
  double log_sum_exp = 0;
  TokenId top = 0;  // the most likely token; the lowest id of several
};
// Nothing if a logit is NaN or infinite.
std::optional<RowSummary> summarize_row(std::span<const float> logits);

inline double negative_log_likelihood(std::span<const float> logits, const RowSummary& summary, TokenId token) {
  return summary.log_sum_exp - static_cast<double>(logits[static_cast<size_t>(token)]);
}

// What one scored token contributes to a comparison.
struct TokenComparison {
  double kl = 0;  // of the two rows, reference first; never negative
  double nll_model = 0, nll_reference = 0;
  bool same_top = false;
};
// Both rows have the same length. Nothing if a logit is NaN or infinite.
std::optional<TokenComparison> compare_rows(std::span<const float> reference, std::span<const float> model,
                                            TokenId truth);

}  // namespace smelt
