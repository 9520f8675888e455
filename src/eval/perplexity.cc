// evaluate_perplexity: exp of the mean negative log-likelihood of the scored tokens.
#include "eval/perplexity.h"

#include <cmath>
#include <numbers>

#include "eval/logit_row.h"
#include "eval/stopwatch.h"

namespace smelt {

TokenLengths::TokenLengths(const Tokenizer& tokenizer) {
  for (TokenId id = 0; id < tokenizer.n_vocab(); ++id)
    bytes_.push_back(static_cast<int32_t>(tokenizer.token_bytes(id).size()));
}

PerplexityReport PerplexitySums::report(const Windows& windows, double seconds) const {
  const double perplexity = std::exp(nll_.mean());
  return {.perplexity = perplexity,
          .standard_error = perplexity * nll_.standard_error(),
          .mean_nll = nll_.mean(),
          .bits_per_byte = bytes_ == 0 ? 0 : nll_.sum() / std::numbers::ln2 / static_cast<double>(bytes_),
          .n_tokens = nll_.count(),
          .n_windows = windows.n_windows(),
          .n_ctx = windows.settings.n_ctx,
          .first_scored = windows.settings.first_scored,
          .seconds = seconds};
}

Result<PerplexityReport> evaluate_perplexity(const LoadedModel& model, std::string_view text,
                                             const EvalOptions& options, const JobControl& job) {
  const Stopwatch watch;
  SMELT_ASSIGN(const WindowSettings settings, make_window_settings(options, model.model->config().n_ctx_train));
  SMELT_ASSIGN(const Windows windows, cut_windows(*model.tokenizer, text, settings));
  SMELT_ASSIGN(WindowRun run, WindowRun::create(model, windows, options));
  const TokenLengths lengths(*model.tokenizer);
  PerplexitySums sums;
  const auto score = [&](std::span<const float> logits, TokenId truth) -> Status {
    const auto summary = summarize_row(logits);
    if (!summary) return not_finite_error(model);
    sums.add(negative_log_likelihood(logits, *summary, truth), lengths.of(truth));
    return {};
  };
  SMELT_TRY(for_each_piece(windows, "perplexity", job, [&](int64_t window, int64_t begin, int64_t end) {
    return run.compute(window, begin, end, score);
  }));
  return sums.report(windows, watch.seconds());
}

}  // namespace smelt
