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
          {"seconds", report.seconds}};
}

ordered_json to_json(const Estimate& estimate) {
  return {{"value", estimate.value}, {"standard_error", estimate.standard_error}};
}

std::string with_error(const Estimate& estimate, double scale = 1, const char* unit = "") {
  return fmt::format("{:.5f} ± {:.5f}{}", estimate.value * scale, estimate.standard_error * scale, unit);
}

std::string perplexity_line(const char* title, const PerplexityReport& report) {
  return fmt::format("{:<22}{:.4f} ± {:.4f}\n", title, report.perplexity, report.standard_error);
}

}  // namespace

std::string format_text(const PerplexityReport& report) {
  return perplexity_line("perplexity", report) +
         fmt::format("{:<22}{:.5f} nats per token, {:.4f} bits per byte\n", "loss", report.mean_nll,
                     report.bits_per_byte) +
         fmt::format("{:<22}{} tokens in {} windows, {}\n", "scored", report.n_tokens, report.n_windows,
                     format_duration(report.seconds));
}

std::string format_json(const PerplexityReport& report) { return to_json(report).dump(2) + "\n"; }

std::string format_text(const KlReport& report) {
  std::string out = fmt::format("{:<22}{}\n", "KL divergence", with_error(report.mean_kl, 1, " nats per token"));
  out += fmt::format("{:<22}{:.5f}, 90 % {:.5f}, 99 % {:.5f}, 99.9 % {:.5f}, most {:.5f}\n", "  median", report.kl_p50,
                     report.kl_p90, report.kl_p99, report.kl_p999, report.kl_max);
  out += fmt::format("{:<22}{:.3f} ± {:.3f} %\n", "same first choice", 100 * report.top1_agreement.value,
                     100 * report.top1_agreement.standard_error);
  out += fmt::format("{:<22}{}\n", "change of p, RMS", with_error(report.rms_delta_p, 100, " %"));
  out += fmt::format("{:<22}1 % {:+.3f}, 5 % {:+.3f}, 50 % {:+.3f}, 95 % {:+.3f}, 99 % {:+.3f} (in %)\n",
                     "  percentiles", 100 * report.delta_p_p01, 100 * report.delta_p_p05, 100 * report.delta_p_p50,
                     100 * report.delta_p_p95, 100 * report.delta_p_p99);
  out += perplexity_line("perplexity", report.model) + perplexity_line("  of the reference", report.reference);
  out += fmt::format("{:<22}{}\n", "  ln of their ratio", with_error(report.log_perplexity_ratio));
  return out + fmt::format("{:<22}{} tokens in {} windows, {}\n", "scored", report.n_tokens, report.model.n_windows,
                           format_duration(report.seconds));
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
