// smelt/evaluate.h over eval/.
#include "smelt/evaluate.h"

#include "api/guard.h"
#include "api/handles.h"
#include "eval/evaluate.h"

namespace smelt {
namespace {

EvalOptions to_eval_options(const EvaluateOptions& o) {
  return {.n_ctx = o.n_ctx, .max_windows = o.max_windows, .first_scored = o.first_scored, .n_threads = o.n_threads};
}

Perplexity to_perplexity(const PerplexityReport& report) {
  return {.perplexity = {report.perplexity, report.standard_error},
          .mean_nll = report.mean_nll,
          .bits_per_byte = report.bits_per_byte,
          .n_tokens = report.n_tokens,
          .n_windows = report.n_windows,
          .seconds = report.seconds};
}

Measure to_measure(const Estimate& estimate) { return {estimate.value, estimate.standard_error}; }

}  // namespace

Result<Perplexity> measure_perplexity(const TextModel& model, std::string_view text, const EvaluateOptions& options,
                                      const JobControl& job) {
  return guarded([&]() -> Result<Perplexity> {
    SMELT_ASSIGN(const PerplexityReport report,
                 evaluate_perplexity(model.impl().loaded, text, to_eval_options(options), job));
    return to_perplexity(report);
  });
}

Result<Comparison> compare_models(const TextModel& model, const TextModel& reference, std::string_view text,
                                  const EvaluateOptions& options, const JobControl& job) {
  return guarded([&]() -> Result<Comparison> {
    SMELT_ASSIGN(const KlReport report,
                 evaluate_kl(model.impl().loaded, reference.impl().loaded, text, to_eval_options(options), job));
    return Comparison{.mean_kl = to_measure(report.mean_kl),
                      .kl_p99 = report.kl_p99,
                      .kl_max = report.kl_max,
                      .top1_agreement = to_measure(report.top1_agreement),
                      .rms_delta_p = to_measure(report.rms_delta_p),
                      .log_perplexity_ratio = to_measure(report.log_perplexity_ratio),
                      .model = to_perplexity(report.model),
                      .reference = to_perplexity(report.reference),
                      .n_tokens = report.n_tokens,
                      .seconds = report.seconds};
  });
}

}  // namespace smelt
