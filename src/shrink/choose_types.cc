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
constexpr double kNearEnough = 0.93;    // of the loss allowed
constexpr double kSpeedMargin = 0.985;  // speeds differ from one measurement to the next

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

uint64_t least_bytes(const std::vector<BudgetItem>& items) {
  uint64_t sum = 0;
  for (const BudgetItem& item : items) {
    const auto less = [](const BudgetOption& a, const BudgetOption& b) { return a.bytes < b.bytes; };
    sum += std::min_element(item.begin(), item.end(), less)->bytes;
  }
  return sum;
}

}  // namespace

TargetSolver::TargetSolver(const SourceModel& source, const std::vector<TensorCost>& costs, const LatencyTable& latency,
                           const ShrinkOptions& options)
    : source_(source), costs_(costs), options_(options), items_(budget_items(costs)) {
  set_seconds(source_, costs_, latency, items_);
}

bool TargetSolver::has_floor() const { return options_.target.max_kl > 0 || options_.target.max_ppl_rise > 0; }
bool TargetSolver::needs_search() const { return has_floor() || options_.target.tokens_per_second > 0; }

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

Result<uint64_t> TargetSolver::session_bytes() const {
  return Session::bytes_needed(*source_.loaded.model,
                               {.n_ctx = options_.target.n_ctx, .n_threads = options_.n_threads});
}

// Tensors that are not chosen for count among the weights.
Result<uint64_t> TargetSolver::bytes_of_bits(double bits_per_weight) const {
  SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
  QuantizeOptions options{.type = "F16", .overrides = {}, .allow_requantize = true};
  SMELT_ASSIGN(const QuantizePlan plan, plan_quantization(source_.canonical, options));
  uint64_t kept = 0;
  for (const TensorPlan& tensor : plan.tensors) kept += tensor.bytes_to;
  for (const TensorCost& cost : costs_) kept -= plan.tensors[cost.index].bytes_to;
  const double bytes = bits_per_weight * weights_of(source_) / 8 - static_cast<double>(kept);
  return static_cast<uint64_t>(std::max(0.0, bytes)) + overhead;
}

Result<uint64_t> TargetSolver::file_limit() const {
  const ShrinkTarget& target = options_.target;
  uint64_t limit = target.file_bytes;
  const auto tighten = [&limit](uint64_t bytes) { limit = limit == 0 ? bytes : std::min(limit, bytes); };
  if (target.bits_per_weight > 0) {
    SMELT_ASSIGN(const uint64_t bytes, bytes_of_bits(target.bits_per_weight));
    tighten(bytes);
  }
  if (target.memory_bytes > 0) {
    SMELT_ASSIGN(const uint64_t session, session_bytes());
    if (session >= target.memory_bytes)
      return input_error(
          fmt::format("a memory of {} does not hold the session alone, which needs {}; give more, or a "
                      "shorter context",
                      format_bytes(target.memory_bytes), format_bytes(session)));
    tighten(target.memory_bytes - session);
  }
  return limit;
}

Error TargetSolver::too_small(const BudgetLimits& limits, uint64_t overhead) const {
  const uint64_t least = least_bytes(items_);
  if (limits.bytes < least)
    return input_error(fmt::format("a file of {} is too small for this model: {} is the least with these types",
                                   format_bytes(limits.bytes + overhead), format_bytes(least + overhead)));
  return input_error(
      fmt::format("no mix of these types is fast enough within the other limits; allow fewer tokens per "
                  "second than {:g}, or more types",
                  options_.target.tokens_per_second));
}

Result<TypeChoice> TargetSolver::choose_for(const Aim& aim) const {
  SMELT_ASSIGN(const uint64_t file_bytes, file_limit());
  SMELT_ASSIGN(const uint64_t overhead, overhead_bytes());
  BudgetLimits limits;
  if (file_bytes > 0) limits.bytes = file_bytes - std::min(overhead, file_bytes);
  if (aim.seconds > 0) limits.seconds = aim.seconds;
  auto best = solve_budget(items_, limits);
  if (!best) return too_small(limits, overhead);
  if (aim.kl == 0 || best->cost > aim.kl) return to_types(*best);
  uint64_t low = least_bytes(items_), high = best->bytes;
  for (int i = 0; i < 24 && high - low > high / 4096; ++i) {
    const uint64_t middle = low + (high - low) / 2;
    auto choice = solve_budget(items_, {middle, limits.seconds});
    const bool is_near = choice && choice->cost <= aim.kl;
    (is_near ? high : low) = middle;
    if (is_near) best = std::move(choice);
  }
  return to_types(*best);
}

Result<TypeChoice> TargetSolver::choose_mix(const std::string& mix) const {
  SMELT_ASSIGN(const QuantizePlan plan,
               plan_quantization(source_.canonical, {.type = mix, .overrides = {}, .allow_requantize = true}));
  TypeChoice types;
  for (const TensorCost& cost : costs_) types[cost.index] = plan.tensors[cost.index].to;
  return types;
}

Result<TypeChoice> TargetSolver::choose() const {
  if (!options_.target.mix.empty()) return choose_mix(options_.target.mix);
  return choose_for(first_aim());
}

TargetSolver::Aim TargetSolver::first_aim() const {
  const double speed = options_.target.tokens_per_second;
  return {has_floor() ? limit_of(options_.target) : 0, speed > 0 ? kSpeedMargin / speed : 0};
}

bool TargetSolver::meets(const Trial& trial) const {
  const ShrinkTarget& target = options_.target;
  return (!has_floor() || loss_of(trial.proof, target) <= limit_of(target)) &&
         trial.tokens_per_second >= target.tokens_per_second;
}

// True losses are near the predicted ones times a factor that changes slowly: the next guess takes the last factor.
// What a token takes besides products with weights changes as little.
TargetSolver::Aim TargetSolver::next_aim(const Aim& aim, const Trial& trial) const {
  Aim next = aim;
  const ShrinkTarget& target = options_.target;
  if (has_floor()) {
    const double limit = limit_of(target);
    const double factor =
        std::max(loss_of(trial.proof, target), 0.01 * limit) / std::max(1e-9, predicted_kl(costs_, trial.types));
    next.kl = 0.97 * limit / factor;
  }
  if (target.tokens_per_second > 0) {
    const double wanted = kSpeedMargin / target.tokens_per_second;
    const double others = 1 / trial.tokens_per_second - predicted_seconds(trial.types);
    next.seconds = std::max(1e-12, wanted - std::max(0.0, others));
  }
  return next;
}

Result<TypeChoice> TargetSolver::search(const TypeChoice& first, const Attempt& attempt) const {
  TypeChoice types = first;
  Aim aim = first_aim();
  std::optional<Trial> best;
  const auto is_better = [&](const Trial& a, const Trial& b) {
    return has_floor() ? a.plan.file_bytes < b.plan.file_bytes : a.proof.mean_kl.value < b.proof.mean_kl.value;
  };
  for (int trial = 0; trial < kMaxTrials; ++trial) {
    SMELT_ASSIGN(Trial result, attempt(types));
    aim = next_aim(aim, result);
    const bool is_near =
        !has_floor() || loss_of(result.proof, options_.target) >= kNearEnough * limit_of(options_.target);
    const bool is_met = meets(result);
    if (is_met && (!best || is_better(result, *best))) best = std::move(result);
    if (is_met && is_near) break;
    const auto next = choose_for(aim);
    if (!next && best) break;
    if (!next) return next.error();
    if (*next == types) break;
    types = *next;
  }
  if (best) return best->types;
  return input_error(
      "no mix of these types that was tried keeps the loss and the speed asked for within the limits; "
      "allow more, or more types");
}

double TargetSolver::predicted_seconds(const TypeChoice& types) const {
  double sum = 0;
  for (size_t i = 0; i < costs_.size(); ++i) {
    const auto chosen = types.find(costs_[i].index);
    for (size_t t = 0; chosen != types.end() && t < costs_[i].types.size(); ++t)
      if (costs_[i].types[t].type == chosen->second) sum += items_[i][t].seconds;
  }
  return sum;
}

}  // namespace smelt
