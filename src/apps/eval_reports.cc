// Reports of eval/ for people and for programs.
#include "apps/eval_reports.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const PerplexityReport& report) {
  return {{"perplexity", report.perplexity}, {"standard_error", report.standard_error},
          {"mean_nll", report.mean_nll},     {"bits_per_byte", report.bits_per_byte},
          {"tokens", report.n_tokens},       {"windows", report.n_windows},
          {"n_ctx", report.n_ctx},           {"first_scored", report.first_scored},
          {"seconds", report.seconds}};
}

ordered_json to_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"standard_error", estimate.standard_error}};
}

// Four digits that count: divergences of near models are tiny.
std::string format_small(double value) { return fmt::format("{:#.4g}", value); }

std::string with_error(const Estimate& estimate) {
  return format_small(estimate.value) + " ± " + format_small(estimate.standard_error);
}

std::string percent_with_error(const Estimate& estimate) {
  return fmt::format("{:.3f} ± {:.3f} %", 100 * estimate.value, 100 * estimate.standard_error);
}

std::string perplexity_line(const char* title, const PerplexityReport& report) {
  return fmt::format("{:<22}{:.4f} ± {:.4f}\n", title, report.perplexity, report.standard_error);
}

std::string scored_line(const PerplexityReport& report, double seconds) {
  return fmt::format("{:<22}{} tokens in {} windows of {}, {}\n", "scored", report.n_tokens, report.n_windows,
                     report.n_ctx, format_duration(seconds));
}

}  // namespace

std::string format_text(const PerplexityReport& report) {
  return perplexity_line("perplexity", report) +
         fmt::format("{:<22}{:.5f} nats per token, {:.4f} bits per byte\n", "loss", report.mean_nll,
                     report.bits_per_byte) +
         scored_line(report, report.seconds);
}

std::string format_text(const PerplexityReport& report, uint64_t file_bytes) {
  return format_text(report) + fmt::format("{:<22}{}, {:.0f} bytes a scored token\n", "file", format_bytes(file_bytes),
                                           static_cast<double>(file_bytes) / static_cast<double>(report.n_tokens));
}

std::string format_json(const PerplexityReport& report, uint64_t file_bytes) {
  ordered_json out = to_json(report);
  out["file_bytes"] = file_bytes;
  return out.dump(2) + "\n";
}

std::string format_json(const PerplexityReport& report) { return to_json(report).dump(2) + "\n"; }

std::string format_text(const KlReport& report) {
  std::string out = fmt::format("{:<22}{}\n", "KL divergence", with_error(report.mean_kl) + " nats per token");
  out += fmt::format("{:<22}{}, 90 % {}, 99 % {}, 99.9 % {}, most {}\n", "  median", format_small(report.kl_p50),
                     format_small(report.kl_p90), format_small(report.kl_p99), format_small(report.kl_p999),
                     format_small(report.kl_max));
  out += fmt::format("{:<22}{}\n", "same first choice", percent_with_error(report.top1_agreement));
  out += fmt::format("{:<22}{}\n", "change of p, RMS", percent_with_error(report.rms_delta_p));
  out += fmt::format("{:<22}1 % {:+.3f}, 5 % {:+.3f}, 50 % {:+.3f}, 95 % {:+.3f}, 99 % {:+.3f} (in %)\n",
                     "  percentiles", 100 * report.delta_p_p01, 100 * report.delta_p_p05, 100 * report.delta_p_p50,
                     100 * report.delta_p_p95, 100 * report.delta_p_p99);
  out += perplexity_line("perplexity", report.model) + perplexity_line("  of the reference", report.reference);
  out += fmt::format("{:<22}{}\n", "  ln of their ratio", with_error(report.log_perplexity_ratio));
  return out + scored_line(report.model, report.seconds);
}

std::string format_json(const KlReport& report) {
  const ordered_json out = {{"mean_kl", to_json(report.mean_kl)},
                            {"kl_percentiles",
                             {{"p50", report.kl_p50},
                              {"p90", report.kl_p90},
                              {"p99", report.kl_p99},
                              {"p99.9", report.kl_p999},
                              {"max", report.kl_max}}},
                            {"top1_agreement", to_json(report.top1_agreement)},
                            {"rms_delta_p", to_json(report.rms_delta_p)},
                            {"delta_p_percentiles",
                             {{"p1", report.delta_p_p01},
                              {"p5", report.delta_p_p05},
                              {"p50", report.delta_p_p50},
                              {"p95", report.delta_p_p95},
                              {"p99", report.delta_p_p99}}},
                            {"model", to_json(report.model)},
                            {"reference", to_json(report.reference)},
                            {"log_perplexity_ratio", to_json(report.log_perplexity_ratio)},
                            {"tokens", report.n_tokens},
                            {"seconds", report.seconds}};
  return out.dump(2) + "\n";
}

}  // namespace smelt
