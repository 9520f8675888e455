// Reports of eval/speed.h for people and for programs.
#include "apps/bench_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/units.h"
#include "kernels/isa.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

// "key", and the least and the most of the repeats beside it.
void add_spread(ordered_json& out, const std::string& key, const Spread& spread) {
  out[key] = spread.median;
  out[key + "_min"] = spread.min;
  out[key + "_max"] = spread.max;
}

ordered_json to_json(const SpeedReport& report) {
  ordered_json out = {{"threads", report.n_threads}, {"pinned", report.pinned}};
  for (const SpeedMeasure& measure : report.measures) {
    add_spread(out, measure.name + ".tokens_per_second", measure.tokens_per_second);
    out[measure.name + ".bytes_per_token"] = measure.bytes_per_token;
    out[measure.name + ".ops_per_token"] = measure.ops_per_token;
    add_spread(out, measure.name + ".read_share", measure.read_share);
    add_spread(out, measure.name + ".int8_share", measure.int8_share);
  }
  for (const SpeculationMeasure& measure : report.speculation) {
    add_spread(out, measure.name + ".tokens_per_second", measure.tokens_per_second);
    add_spread(out, measure.name + ".ratio", measure.ratio);
    out[measure.name + ".drafted"] = measure.figures.drafted;
    out[measure.name + ".accepted"] = measure.figures.accepted;
  }
  add_spread(out, "load_seconds", report.load_seconds);
  add_spread(out, "first_token_seconds", report.first_token_seconds);
  out["peak_rss_bytes"] = report.peak_rss_bytes;
  out["weights_bytes"] = report.weights_bytes;
  out["kv_bytes_per_token"] = report.kv_bytes_per_token;
  add_spread(out, "limits.int8_ops_per_second", report.limits.int8_ops_per_second);
  add_spread(out, "limits.bf16_ops_per_second", report.limits.bf16_ops_per_second);
  add_spread(out, "limits.f32_ops_per_second", report.limits.f32_ops_per_second);
  add_spread(out, "limits.read_bytes_per_second", report.limits.read_bytes_per_second);
  return out;
}

std::string format_rate(double rate) { return rate < 100 ? fmt::format("{:.2f}", rate) : fmt::format("{:.0f}", rate); }

std::string measure_line(const SpeedMeasure& measure) {
  const Spread& rate = measure.tokens_per_second;
  return fmt::format("{:<12} {:>9}  {:>9} … {:<9} {:>10}  {:>6.1f} % {:>6.1f} %\n", measure.name,
                     format_rate(rate.median), format_rate(rate.min), format_rate(rate.max),
                     format_bytes(static_cast<uint64_t>(measure.bytes_per_token)), 100 * measure.read_share.median,
                     100 * measure.int8_share.median);
}

std::string speculation_line(const SpeculationMeasure& measure) {
  const Spread& rate = measure.tokens_per_second;
  return fmt::format("{:<12} {:>9}  {:>9} … {:<9} {:.2f} times plain writing ({:.2f} … {:.2f}), {} guesses, {} right\n",
                     measure.name, format_rate(rate.median), format_rate(rate.min), format_rate(rate.max),
                     measure.ratio.median, measure.ratio.min, measure.ratio.max, measure.figures.drafted,
                     measure.figures.accepted);
}

std::string limits_line(const SpeedLimits& limits) {
  const auto giga = [](const Spread& spread) {
    return fmt::format("{:.0f} ({:.0f})", spread.median / 1e9, spread.max / 1e9);
  };
  std::string out = "limits: int8 " + giga(limits.int8_ops_per_second) + " Gop/s";
  if (limits.bf16_ops_per_second.max > 0) out += ", bf16 " + giga(limits.bf16_ops_per_second);
  out += ", f32 " + giga(limits.f32_ops_per_second);
  return out + fmt::format("; reading {:.1f} ({:.1f}) GB/s: median of the probes, and the best\n",
                           limits.read_bytes_per_second.median / 1e9, limits.read_bytes_per_second.max / 1e9);
}

}  // namespace

std::string format_speed_text(const SpeedReport& report) {
  std::string out = fmt::format("{} threads{}, kernels {}, {} of weights, {} of cache per token\n", report.n_threads,
                                report.pinned ? ", pinned" : "", isa_name(chosen_isa()),
                                format_bytes(report.weights_bytes), format_bytes(report.kv_bytes_per_token));
  out += fmt::format("{:<12} {:>9}  {:>9} … {:<9} {:>10}  {:>8} {:>8}\n", "", "tokens/s", "least", "most", "per token",
                     "of read", "of int8");
  for (const SpeedMeasure& measure : report.measures) out += measure_line(measure);
  for (const SpeculationMeasure& measure : report.speculation) out += speculation_line(measure);
  out += fmt::format("loaded in {:.2f} s, first token after {:.2f} s, peak memory {}\n", report.load_seconds.median,
                     report.first_token_seconds.median, format_bytes(report.peak_rss_bytes));
  return out + limits_line(report.limits);
}

std::string format_speed_json(const std::string& path, const SpeedOptions& options,
                              std::span<const SpeedReport> reports) {
  ordered_json out = {{"model", path},
                      {"isa", isa_name(chosen_isa())},
                      {"kv_type", kv_type_name(options.kv_type)},
                      {"repeats", options.n_repeats}};
  if (reports.size() == 1) {
    out.update(to_json(reports.front()));
  } else {
    ordered_json runs = ordered_json::array();
    for (const SpeedReport& report : reports) runs.push_back(to_json(report));
    out["runs"] = runs;
  }
  return out.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace smelt
