#include "shrink/choose_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/units.h"
#include "compress/mix_rules.h"
#include "shrink/shrunk_file.h"

namespace smelt {
namespace {

constexpr int kMaxTrials = 6;
constexpr double kNearEnough = 0.93;  // of the loss allowed
constexpr int kCurvePoints = 16;

uint64_t bytes_of(const std::vector<BudgetItem>& items, bool largest) {
  uint64_t sum = 0;
  for (const BudgetItem& item : items) {
    const auto less = [](const BudgetOption& a, const BudgetOption& b) { return a.bytes < b.bytes; };
    sum +=
        (largest ? std::max_element(item.begin(), item.end(), less) : std::min_element(item.begin(), item.end(), less))
            ->bytes;
  }
  return sum;
}

double weights_of(const SourceModel& source) {
  double n = 0;
  for (const CanonicalTensor& tensor : source.canonical.tensors) n += static_cast<double>(tensor.shape.values());
  return n;
}

// What the floor measures, and its limit.
double loss_of(const KlReport& proof, const ShrinkTarget& target) {
  return target.max_kl > 0 ? proof.mean_kl.value : std::expm1(proof.log_perplexity_ratio.value);
}
double limit_of(const ShrinkTarget& target) { return target.max_kl > 0 ? target.max_kl : target.max_ppl_rise; }

}  // namespace

TargetSolver::TargetSolver(const SourceModel& source, const std::vector<TensorCost>& costs,
                           const ShrinkOptions& options)
    : source_(source), costs_(costs), options_(options), items_(budget_items(costs)) {}

bool TargetSolver::is_floor() const { return options_.target.max_kl > 0 || options_.target.max_ppl_rise > 0; }

TypeChoice TargetSolver::to_types(const BudgetChoice& choice) const {
  TypeChoice types;
  for (size_t i = 0; i < costs_.size(); ++i) types[costs_[i].index] = costs_[i].types[choice.option[i]].type;
  return types;
}

Result<uint64_t> TargetSolver::overhead_bytes() const {
  TypeChoice smallest;
  uint64_t tensors = 0;
  for (const TensorCost& cost : costs_) {
    smallest[cost.index] = cost.types.back().type;
    tensors += cost.types.back().bytes;
  }
  QuantizeOptions options{.allow_requantize = true};
  SMELT_ASSIGN(const QuantizePlan plan, plan_types(source_, smallest, options));
  // Paddings after tensors, and room for a longer name of the mix.
  return plan.file_bytes - tensors + 32 * (plan.tensors.size() + 1);
}

Result<TypeChoice> TargetSolver::choose_bytes(uint64_t file_bytes) const {
  SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
  const auto choice = file_bytes > overhead ? solve_budget(items_, file_bytes - overhead) : std::nullopt;
  if (!choice)
    return input_error(fmt::format("a file of {} is too small for this model: {} is the least with these types",
                                   format_bytes(file_bytes), format_bytes(bytes_of(items_, false) + overhead)));
  return to_types(*choice);
}

Result<TypeChoice> TargetSolver::choose_kl(double kl) const {
  uint64_t low = bytes_of(items_, false), high = bytes_of(items_, true);
  const auto cost_at = [&](uint64_t bytes) {
    const auto choice = solve_budget(items_, bytes);
    return choice ? choice->cost : 1e300;
  };
  for (int i = 0; i < 24 && high - low > high / 4096; ++i) {
    const uint64_t middle = low + (high - low) / 2;
    (cost_at(middle) <= kl ? high : low) = middle;
  }
  return to_types(*solve_budget(items_, high));
}

Result<TypeChoice> TargetSolver::choose_mix(const std::string& mix) const {
  SMELT_ASSIGN(const QuantizePlan plan,
               plan_quantization(source_.canonical, {.type = mix, .overrides = {}, .allow_requantize = true}));
  TypeChoice types;
  for (const TensorCost& cost : costs_) types[cost.index] = plan.tensors[cost.index].to;
  return types;
}

Result<TypeChoice> TargetSolver::choose() const {
  const ShrinkTarget& target = options_.target;
  if (!target.mix.empty()) return choose_mix(target.mix);
  if (target.file_bytes > 0) return choose_bytes(target.file_bytes);
  if (target.bits_per_weight > 0) {
    SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
    uint64_t kept = 0;  // bytes of tensors that are not chosen for: they count among the weights
    QuantizeOptions options{.type = "F16", .overrides = {}, .allow_requantize = true};
    SMELT_ASSIGN(const QuantizePlan plan, plan_quantization(source_.canonical, options));
    for (const TensorPlan& tensor : plan.tensors) kept += tensor.bytes_to;
    for (const TensorCost& cost : costs_) kept -= plan.tensors[cost.index].bytes_to;
    const double bytes = target.bits_per_weight * weights_of(source_) / 8 - static_cast<double>(kept);
    return choose_bytes(static_cast<uint64_t>(std::max(0.0, bytes)) + overhead);
  }
  return choose_kl(limit_of(target));
}

// True losses are near the predicted ones times a factor that changes slowly: the next guess takes the last factor.
Result<TypeChoice> TargetSolver::search_floor(const TypeChoice& first, const Attempt& attempt) const {
  const double limit = limit_of(options_.target);
  TypeChoice types = first;
  std::optional<TypeChoice> best;
  uint64_t best_bytes = 0;
  for (int trial = 0; trial < kMaxTrials; ++trial) {
    SMELT_ASSIGN(const Trial result, attempt(types));
    const double loss = loss_of(result.proof, options_.target);
    if (loss <= limit && (!best || result.plan.file_bytes < best_bytes)) {
      best = types;
      best_bytes = result.plan.file_bytes;
    }
    if (loss <= limit && loss >= kNearEnough * limit) break;
    const double factor = std::max(loss, 0.01 * limit) / std::max(1e-9, predicted_kl(costs_, types));
    SMELT_ASSIGN(types, choose_kl(0.97 * limit / factor));
  }
  if (best) return *best;
  return input_error(
      fmt::format("no mix of these types stays within the loss of {}; allow more loss or more types", limit));
}

Status TargetSolver::add_curves(ShrinkReport& report) const {
  SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
  const auto low = static_cast<double>(bytes_of(items_, false)), high = static_cast<double>(bytes_of(items_, true));
  for (int i = 0; i <= kCurvePoints; ++i) {
    const double share = static_cast<double>(i) / kCurvePoints;
    const auto choice = solve_budget(items_, static_cast<uint64_t>(low * std::pow(high / low, share)));
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
  const auto more = solve_budget(items_, chosen + (uint64_t{1} << 20));
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
  report.budget_bytes = options_.target.file_bytes;
  report.bits_per_weight = plan.bits_per_weight;
  report.predicted_kl = predicted_kl(costs_, types);
  SMELT_TRY(add_curves(report));
  return report;
}

}  // namespace smelt
