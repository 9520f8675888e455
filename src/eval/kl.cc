// evaluate_kl: two models side by side on the same windows.
#include "eval/kl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "eval/stopwatch.h"

namespace smelt {
namespace {

// The square root of a mean, with the delta method's error.
Estimate root_of(const RunningMean& squares) {
  const double root = std::sqrt(squares.mean());
  return {root, root > 0 ? squares.standard_error() / (2 * root) : 0};
}

Status check_same_vocab(const LoadedModel& model, const LoadedModel& reference) {
  const std::vector<Token>& a = model.tokenizer->vocab().tokens;
  const std::vector<Token>& b = reference.tokenizer->vocab().tokens;
  const std::string name = reference.model->checkpoint().path();
  if (a.size() != b.size() || model.model->config().n_vocab != reference.model->config().n_vocab)
    return input_error(
        fmt::format("{}: has a vocabulary of {} tokens, the model one of {}; only models of one "
                    "vocabulary can be compared",
                    name, reference.model->config().n_vocab, model.model->config().n_vocab));
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].text != b[i].text)
      return input_error(
          fmt::format("{}: token {} is '{}', in the model it is '{}'; only models of one vocabulary can "
                      "be compared",
                      name, i, escape_for_display(b[i].text), escape_for_display(a[i].text)));
  }
  return {};
}

// The reference's logits of one piece.
struct PieceRows {
  std::vector<float> logits;
  size_t next = 0;

  void clear() {
    logits.clear();
    next = 0;
  }
  std::span<const float> take(size_t n_vocab) { return std::span(logits).subspan(n_vocab * next++, n_vocab); }
};

}  // namespace

void KlSums::add(const TokenComparison& token, int64_t token_bytes) {
  const double delta_p = std::exp(-token.nll_model) - std::exp(-token.nll_reference);
  model_.add(token.nll_model, token_bytes);
  reference_.add(token.nll_reference, token_bytes);
  kl_.add(token.kl);
  same_top_.add(token.same_top ? 1 : 0);
  squared_delta_p_.add(delta_p * delta_p);
  nll_difference_.add(token.nll_model - token.nll_reference);
  kls_.push_back(static_cast<float>(token.kl));
  delta_ps_.push_back(static_cast<float>(delta_p));
}

KlReport KlSums::report(const Windows& windows, double seconds) {
  std::sort(kls_.begin(), kls_.end());
  std::sort(delta_ps_.begin(), delta_ps_.end());
  return {.mean_kl = kl_.estimate(),
          .kl_p50 = percentile(kls_, 0.5),
          .kl_p90 = percentile(kls_, 0.9),
          .kl_p99 = percentile(kls_, 0.99),
          .kl_p999 = percentile(kls_, 0.999),
          .kl_max = percentile(kls_, 1),
          .top1_agreement = same_top_.estimate(),
          .rms_delta_p = root_of(squared_delta_p_),
          .delta_p_p01 = percentile(delta_ps_, 0.01),
          .delta_p_p05 = percentile(delta_ps_, 0.05),
          .delta_p_p50 = percentile(delta_ps_, 0.5),
          .delta_p_p95 = percentile(delta_ps_, 0.95),
          .delta_p_p99 = percentile(delta_ps_, 0.99),
          .model = model_.report(windows, seconds),
          .reference = reference_.report(windows, seconds),
          .log_perplexity_ratio = nll_difference_.estimate(),
          .n_tokens = kl_.count(),
          .seconds = seconds};
}

Result<KlReport> evaluate_kl(const LoadedModel& model, const LoadedModel& reference, std::string_view text,
                             const EvalOptions& options, const JobControl& job) {
  const Stopwatch watch;
  SMELT_TRY(check_same_vocab(model, reference));
  const int64_t n_ctx_train = std::min(model.model->config().n_ctx_train, reference.model->config().n_ctx_train);
  SMELT_ASSIGN(const WindowSettings settings, make_window_settings(options, n_ctx_train));
  SMELT_ASSIGN(const Windows windows, cut_windows(*model.tokenizer, text, settings));
  SMELT_ASSIGN(WindowRun reference_run, WindowRun::create(reference, windows, options));
  SMELT_ASSIGN(WindowRun model_run, WindowRun::create(model, windows, options));
  const TokenLengths lengths(*model.tokenizer);
  KlSums sums;
  PieceRows rows;
  const auto keep = [&](std::span<const float> logits, TokenId) -> Status {
    rows.logits.insert(rows.logits.end(), logits.begin(), logits.end());
    return {};
  };
  const auto compare = [&](std::span<const float> logits, TokenId truth) -> Status {
    const auto token = compare_rows(rows.take(logits.size()), logits, truth);
    if (!token) return not_finite_error(model);
    sums.add(*token, lengths.of(truth));
    return {};
  };
  const auto run_both = [&](int64_t window, int64_t begin, int64_t end) -> Status {
    rows.clear();
    SMELT_TRY(reference_run.compute(window, begin, end, keep));
    return model_run.compute(window, begin, end, compare);
  };
  SMELT_TRY(for_each_piece(windows, "comparison", job, run_both));
  return sums.report(windows, watch.seconds());
}

}  // namespace smelt
