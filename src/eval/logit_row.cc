// log-softmax and KL divergence of rows of logits.
#include "eval/logit_row.h"

#include <algorithm>
#include <cmath>

namespace smelt {

std::optional<RowSummary> summarize_row(std::span<const float> logits) {
  if (!std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); })) return std::nullopt;
  const auto top = std::max_element(logits.begin(), logits.end());
  if (top == logits.end()) return std::nullopt;
  const double most = *top;
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - most);
  return RowSummary{most + std::log(sum), static_cast<TokenId>(top - logits.begin())};
}

// sum p (ln p - ln q) with ln p = a - A, ln q = b - B, where A and B are the logarithms of the sums.
std::optional<TokenComparison> compare_rows(std::span<const float> reference, std::span<const float> model,
                                            TokenId truth) {
  const auto a = summarize_row(reference);
  const auto b = summarize_row(model);
  if (!a || !b) return std::nullopt;
  const double shift = b->log_sum_exp - a->log_sum_exp;
  double kl = 0;
  for (size_t i = 0; i < reference.size(); ++i) {
    const double log_ratio = static_cast<double>(reference[i]) - static_cast<double>(model[i]) + shift;
    kl += std::exp(static_cast<double>(reference[i]) - a->log_sum_exp) * log_ratio;
  }
  return TokenComparison{.kl = std::max(kl, 0.0),
                         .nll_model = negative_log_likelihood(model, *b, truth),
                         .nll_reference = negative_log_likelihood(reference, *a, truth),
                         .same_top = a->top == b->top};
}

}  // namespace smelt
