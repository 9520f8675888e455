// TargetSolver's report: what a choice of types is predicted to be, beside other sizes and the standard mixes.
#include <algorithm>
#include <cmath>

#include "compress/mix_rules.h"
#include "shrink/choose_types.h"
#include "shrink/shrunk_file.h"

namespace smelt {
namespace {

constexpr int kCurvePoints = 16;

bool has_fewer_bytes(const BudgetOption& a, const BudgetOption& b) { return a.bytes < b.bytes; }

}  // namespace

Status TargetSolver::add_limits(const TypeChoice& types, ShrinkReport& report) const {
  const ShrinkTarget& target = options_.target;
  SMELT_ASSIGN(report.budget_bytes, file_limit());
  report.memory_budget_bytes = target.memory_bytes;
  if (target.memory_bytes > 0) {
    SMELT_ASSIGN(const uint64_t session, session_bytes());
    report.memory_bytes = report.file_bytes + session;
    report.memory_n_ctx = target.n_ctx > 0 ? target.n_ctx : source_.loaded.model->config().n_ctx_train;
  }
  report.wanted_tokens_per_second = target.tokens_per_second;
  if (target.tokens_per_second > 0) report.predicted_tokens_per_second = 1 / predicted_seconds(types);
  return {};
}

Status TargetSolver::add_curves(ShrinkReport& report) const {
  SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
  double low = 0, high = 0;
  for (const BudgetItem& item : items_) {
    const auto [least, most] = std::minmax_element(item.begin(), item.end(), has_fewer_bytes);
    low += static_cast<double>(least->bytes);
    high += static_cast<double>(most->bytes);
  }
  for (int i = 0; i <= kCurvePoints; ++i) {
    const double share = static_cast<double>(i) / kCurvePoints;
    const auto choice = solve_budget(items_, {.bytes = static_cast<uint64_t>(low * std::pow(high / low, share))});
    if (choice) report.curve.push_back({"", choice->bytes + overhead, choice->cost});
  }
  for (const MixInfo& mix : all_mixes()) {
    if (!is_quantized(mix.base)) continue;
    SMELT_ASSIGN(const TypeChoice types, choose_mix(mix.name));
    QuantizeOptions options{.allow_requantize = true};
    SMELT_ASSIGN(const QuantizePlan plan, plan_types(source_, types, options));
    if (std::all_of(costs_.begin(), costs_.end(), [&](const TensorCost& cost) { return knows(cost, types); }))
      report.mixes.push_back({mix.name, plan.file_bytes, predicted_kl(costs_, types)});
  }
  uint64_t chosen = 0;
  for (const ShrunkTensor& tensor : report.tensors) chosen += tensor.bytes;
  const auto more = solve_budget(items_, {.bytes = chosen + (uint64_t{1} << 20)});
  report.kl_of_next_megabyte = more ? std::max(0.0, report.predicted_kl - more->cost) : 0;
  return {};
}

// Whether the table has a cost for what is chosen.
bool TargetSolver::knows(const TensorCost& cost, const TypeChoice& types) {
  const auto chosen = types.find(cost.index);
  return chosen == types.end() ||
         std::any_of(cost.types.begin(), cost.types.end(), [&](const TypeCost& t) { return t.type == chosen->second; });
}

Result<ShrinkReport> TargetSolver::describe(const TypeChoice& types) const {
  ShrinkReport report;
  QuantizeOptions options{.allow_requantize = true};
  SMELT_ASSIGN(const QuantizePlan plan, plan_types(source_, types, options));
  for (const TensorCost& cost : costs_) {
    const TensorPlan& tensor = plan.tensors[cost.index];
    TypeChoice alone;
    if (const auto at = types.find(cost.index); at != types.end()) alone.insert(*at);
    report.tensors.push_back({.name = tensor.name,
                              .from = tensor.from,
                              .to = tensor.to,
                              .bytes = tensor.bytes_to,
                              .predicted_kl = predicted_kl(costs_, alone)});
  }
  report.source_bytes = plan.source_bytes;
  report.file_bytes = plan.file_bytes;
  report.bits_per_weight = plan.bits_per_weight;
  report.predicted_kl = predicted_kl(costs_, types);
  SMELT_TRY(add_limits(types, report));
  SMELT_TRY(add_curves(report));
  return report;
}

}  // namespace smelt
