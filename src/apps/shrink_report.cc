#include "apps/shrink_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/units.h"

namespace smelt {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Estimate& estimate) {
  return {{"value", estimate.value}, {"standard_error", estimate.standard_error}};
}

Json json_of(const KlReport& kl) {
  return {{"tokens", kl.n_tokens},
          {"mean_kl", json_of(kl.mean_kl)},
          {"kl_percentiles",
           {{"50", kl.kl_p50}, {"90", kl.kl_p90}, {"99", kl.kl_p99}, {"99.9", kl.kl_p999}, {"100", kl.kl_max}}},
          {"top1_agreement", json_of(kl.top1_agreement)},
          {"perplexity", kl.model.perplexity},
          {"reference_perplexity", kl.reference.perplexity},
          {"log_perplexity_ratio", json_of(kl.log_perplexity_ratio)},
          {"rms_delta_p", json_of(kl.rms_delta_p)},
          {"delta_p_percentiles",
           {{"1", kl.delta_p_p01},
            {"5", kl.delta_p_p05},
            {"50", kl.delta_p_p50},
            {"95", kl.delta_p_p95},
            {"99", kl.delta_p_p99}}}};
}

Json json_of(const std::vector<CurvePoint>& points) {
  Json out = Json::array();
  for (const CurvePoint& point : points) {
    Json entry = {{"file_bytes", point.file_bytes}, {"predicted_kl", point.predicted_kl}};
    if (!point.name.empty()) entry["mix"] = point.name;
    out.push_back(std::move(entry));
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Quality against size, both logarithmic.
class Chart {
 public:
  explicit Chart(const ShrinkReport& report) : report_(report) {
    for (const auto* points : {&report.curve, &report.mixes}) {
      for (const CurvePoint& point : *points) include(point.file_bytes, point.predicted_kl);
    }
    include(report.file_bytes, report.predicted_kl);
    if (report.proof) include(report.file_bytes, report.proof->mean_kl.value);
  }

  std::string svg() const {
    std::string out = fmt::format(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"KL divergence against file size\">\n", kWidth, kHeight);
    out += axes() + "<polyline class=\"curve\" points=\"";
    for (const CurvePoint& point : report_.curve)
      if (point.predicted_kl > 0) out += fmt::format("{:.1f},{:.1f} ", x(point.file_bytes), y(point.predicted_kl));
    out += "\"/>\n";
    for (const CurvePoint& point : report_.mixes) out += dot("mix", point.file_bytes, point.predicted_kl, point.name);
    if (report_.proof) out += dot("ours", report_.file_bytes, report_.proof->mean_kl.value, "measured");
    return out + dot("plan", report_.file_bytes, report_.predicted_kl, "") + "</svg>\n";
  }

 private:
  static constexpr double kWidth = 860, kHeight = 420, kLeft = 70, kBottom = 40, kMargin = 20;

  void include(uint64_t bytes, double kl) {
    if (bytes == 0 || !(kl > 0)) return;
    low_bytes_ = std::min(low_bytes_, static_cast<double>(bytes));
    high_bytes_ = std::max(high_bytes_, static_cast<double>(bytes));
    low_kl_ = std::min(low_kl_, kl);
    high_kl_ = std::max(high_kl_, kl);
  }
  double x(uint64_t bytes) const {
    const double share =
        std::log(static_cast<double>(bytes) / low_bytes_) / std::max(1e-9, std::log(high_bytes_ / low_bytes_));
    return kLeft + share * (kWidth - kLeft - kMargin);
  }
  double y(double kl) const {
    const double share = std::log(kl / low_kl_) / std::max(1e-9, std::log(high_kl_ / low_kl_));
    return kHeight - kBottom - share * (kHeight - kBottom - kMargin);
  }
  std::string dot(const char* kind, uint64_t bytes, double kl, const std::string& label) const {
    if (!(kl > 0)) return "";
    return fmt::format(
        "<circle class=\"{0}\" cx=\"{1:.1f}\" cy=\"{2:.1f}\" r=\"4\"><title>{3}: {4}, {5:.5f} nats</title></circle>"
        "<text x=\"{6:.1f}\" y=\"{7:.1f}\">{3}</text>\n",
        kind, x(bytes), y(kl), escape_html(label), format_bytes(bytes), kl, x(bytes) + 6, y(kl) - 5);
  }
  std::string axes() const {
    std::string out;
    for (double kl = std::pow(10, std::floor(std::log10(low_kl_))); kl <= high_kl_; kl *= 10) {
      if (kl < low_kl_) continue;
      out += fmt::format(
          "<line class=\"grid\" x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\"/><text x=\"4\" "
          "y=\"{:.1f}\">{:g}</text>\n",
          kLeft, kWidth - kMargin, y(kl), y(kl), y(kl) + 4, kl);
    }
    for (int i = 0; i <= 4; ++i) {
      const auto bytes = static_cast<uint64_t>(low_bytes_ * std::pow(high_bytes_ / low_bytes_, i / 4.0));
      out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", x(bytes), kHeight - 12,
                         format_bytes(bytes));
    }
    return out;
  }

  const ShrinkReport& report_;
  double low_bytes_ = 1e300, high_bytes_ = 1, low_kl_ = 1e300, high_kl_ = 1e-300;
};

constexpr const char* kStyle =
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 "
    "1rem;color:#222;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{padding:.2rem .6rem;text-align:right;border-bottom:1px solid #ddd}"
    "td:first-child,th:first-child{text-align:left}svg{width:100%;font-size:11px}.grid{stroke:#ddd}"
    ".curve{fill:none;stroke:#36c;stroke-width:2}.mix{fill:#999}.ours{fill:#c33}.plan{fill:none;stroke:#c33}"
    ".bar{background:#36c;height:.6rem;display:inline-block}";

std::string fact(const char* name, const std::string& value) {
  return fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", name, escape_html(value));
}

std::string proof_rows(const ShrinkReport& report) {
  if (!report.proof) return fact("measured", "not: only planned");
  const KlReport& kl = *report.proof;
  return fact("mean KL divergence, held-out text",
              fmt::format("{:.5f} ± {:.5f} nats", kl.mean_kl.value, kl.mean_kl.standard_error)) +
         fact("perplexity", fmt::format("{:.3f}, of the original {:.3f}, ratio {:.4f}", kl.model.perplexity,
                                        kl.reference.perplexity, std::exp(kl.log_perplexity_ratio.value))) +
         fact("same most likely token", fmt::format("{:.2f} %", 100 * kl.top1_agreement.value)) +
         fact("Δp of the true token: 1 %, 5 %, 95 %, 99 %",
              fmt::format("{:+.3f}, {:+.3f}, {:+.3f}, {:+.3f}", kl.delta_p_p01, kl.delta_p_p05, kl.delta_p_p95,
                          kl.delta_p_p99)) +
         fact("tokens judged", fmt::format("{}", kl.n_tokens));
}

std::string speed_text(const ShrinkReport& report) {
  const std::string predicted =
      fmt::format("predicted {:.1f}, wanted {:g}", report.predicted_tokens_per_second, report.wanted_tokens_per_second);
  return report.tokens_per_second > 0 ? fmt::format("{:.1f}, {}", report.tokens_per_second, predicted) : predicted;
}

std::string tensor_rows(const ShrinkReport& report) {
  std::vector<const ShrunkTensor*> order;
  for (const ShrunkTensor& tensor : report.tensors) order.push_back(&tensor);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->predicted_kl > b->predicted_kl; });
  const double most = order.empty() ? 1 : std::max(1e-300, order.front()->predicted_kl);
  std::string out;
  for (const ShrunkTensor* tensor : order) {
    out += fmt::format(
        "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.6f}</td><td><span class=\"bar\" "
        "style=\"width:{:.1f}rem\"></span></td>"
        "<td>{:.0f} %</td></tr>\n",
        escape_html(tensor->name), dtype_name(tensor->to), format_bytes(tensor->bytes), tensor->predicted_kl,
        8 * tensor->predicted_kl / most, 100 * tensor->gain_of_rounding);
  }
  return out;
}

}  // namespace

std::string shrink_json(const ShrinkReport& report, const std::string& output) {
  Json out = {{"output", output},
              {"source_bytes", report.source_bytes},
              {"file_bytes", report.file_bytes},
              {"bits_per_weight", report.bits_per_weight},
              {"predicted_kl", report.predicted_kl},
              {"kl_of_next_mebibyte", report.kl_of_next_megabyte}};
  if (report.budget_bytes > 0) out["budget_bytes"] = report.budget_bytes;
  if (report.memory_budget_bytes > 0)
    out["memory"] = {
        {"budget_bytes", report.memory_budget_bytes}, {"bytes", report.memory_bytes}, {"n_ctx", report.memory_n_ctx}};
  if (report.wanted_tokens_per_second > 0) {
    out["tokens_per_second"] = {{"wanted", report.wanted_tokens_per_second},
                                {"predicted", report.predicted_tokens_per_second}};
    if (report.tokens_per_second > 0) out["tokens_per_second"]["measured"] = report.tokens_per_second;
  }
  if (report.proof) out["held_out"] = json_of(*report.proof);
  out["calibration_text"] = {{"name", report.calibration_name},
                             {"hash", fmt::format("{:016x}", report.calibration_hash)},
                             {"tokens", report.calibration_tokens}};
  out["held_out_text"] = {{"name", report.held_out_name}, {"hash", fmt::format("{:016x}", report.held_out_hash)}};
  out["seconds"] = report.seconds;
  out["peak_memory_bytes"] = report.peak_memory_bytes;
  out["energy"] = {{"source", energy_source_name(report.energy.source)}};
  if (report.energy.source != EnergySource::unknown) out["energy"]["joules"] = report.energy.joules;
  Json& tensors = out["tensors"] = Json::array();
  for (const ShrunkTensor& tensor : report.tensors) {
    tensors.push_back({{"name", tensor.name},
                       {"from", dtype_name(tensor.from)},
                       {"to", dtype_name(tensor.to)},
                       {"bytes", tensor.bytes},
                       {"predicted_kl", tensor.predicted_kl},
                       {"loss_removed_by_rounding", tensor.gain_of_rounding}});
  }
  out["curve"] = json_of(report.curve);
  out["mixes"] = json_of(report.mixes);
  return out.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string shrink_html(const ShrinkReport& report, const std::string& output) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>smelt shrink: "
      "{0}</title><style>{1}</style>\n<h1>{0}</h1>\n<table>\n",
      escape_html(output), kStyle);
  out += fact("size", fmt::format("{} ({} bytes), {:.2f} bits per weight; before {}", format_bytes(report.file_bytes),
                                  report.file_bytes, report.bits_per_weight, format_bytes(report.source_bytes)));
  if (report.budget_bytes > 0)
    out += fact("budget", fmt::format("{} ({} bytes)", format_bytes(report.budget_bytes), report.budget_bytes));
  if (report.memory_budget_bytes > 0)
    out +=
        fact("memory", fmt::format("{} with a context of {} tokens, of {} allowed", format_bytes(report.memory_bytes),
                                   report.memory_n_ctx, format_bytes(report.memory_budget_bytes)));
  if (report.wanted_tokens_per_second > 0) out += fact("tokens written per second, on this device", speed_text(report));
  out += proof_rows(report);
  out += fact("predicted KL divergence", fmt::format("{:.5f} nats", report.predicted_kl));
  out += fact("one MiB more would take away", fmt::format("{:.5f} nats", report.kl_of_next_megabyte));
  out += fact("calibration text", fmt::format("{}, hash {:016x}, {} tokens", report.calibration_name,
                                              report.calibration_hash, report.calibration_tokens));
  out += fact("held-out text", fmt::format("{}, hash {:016x}", report.held_out_name, report.held_out_hash));
  out += fact("time, peak memory, energy",
              fmt::format("{}, {}, {}", format_duration(report.seconds), format_bytes(report.peak_memory_bytes),
                          format_energy(report.energy)));
  out +=
      "</table>\n<h2>Quality against size</h2>\n<p>Line: this method at other sizes, predicted. Grey: standard mixes, "
      "rounded "
      "in the same way, predicted. Red: this file, measured; the ring is what was predicted.</p>\n";
  out += Chart(report).svg();
  out +=
      "<h2>Tensors, those that hurt most first</h2>\n<table><tr><th>tensor</th><th>type</th><th>size</th><th>predicted "
      "KL</th>"
      "<th></th><th>loss removed by rounding</th></tr>\n";
  return out + tensor_rows(report) + "</table>\n</html>\n";
}

}  // namespace smelt
