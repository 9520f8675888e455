#include "shrink/cost_table.h"

#include <algorithm>
#include <cmath>

#include "compress/mix_rules.h"
#include "shrink/layer_names.h"
#include "shrink/layer_pass.h"

namespace smelt {
namespace {

constexpr DType kProbeType = DType::q3_k;  // its loss is felt above the noise of f32, and is still small

class CostMeter {
 public:
  CostMeter(const SourceModel& source, const CalibrationText& calibration, const CostOptions& options,
            ThreadPool& threads, const JobControl& job)
      : source_(source),
        calibration_(calibration),
        options_(options),
        threads_(threads),
        job_(job),
        index_(source.canonical) {}

  Result<std::vector<TensorCost>> run() {
    SMELT_TRY(save_reference(source_.loaded, calibration_.text, {calibration_.reference_path, Overwrite::replace},
                             eval_options(), {nullptr, job_.cancel}));
    list_tensors();
    const int64_t n_layers = source_.loaded.model->config().n_layers;
    SMELT_ASSIGN(LayerPass pass, LayerPass::create(source_.loaded.model, calibration_.windows, 1, threads_));
    for (int64_t layer = 0; layer < n_layers; ++layer) {
      job_.update("measuring", static_cast<uint64_t>(layer), static_cast<uint64_t>(n_layers) + 1, "layers");
      MomentObserver moments(index_, MomentObserver::Kind::products, threads_);
      SMELT_TRY(pass.run({layer, layer + 1}, &moments, job_));
      SMELT_TRY(measure_layer(layer, moments));
    }
    job_.update("measuring", static_cast<uint64_t>(n_layers), static_cast<uint64_t>(n_layers) + 1, "layers");
    MomentObserver moments(index_, MomentObserver::Kind::products, threads_);
    SMELT_TRY(pass.run({n_layers, n_layers + 1, false}, &moments, job_));
    SMELT_TRY(measure_layer(-1, moments));
    for (TensorCost& cost : costs_) {
      if (!cost.is_measured) cost.sensitivity = interpolate(cost);
    }
    return std::move(costs_);
  }

 private:
  EvalOptions eval_options() const {
    return {.n_ctx = calibration_.windows.settings.n_ctx,
            .max_windows = std::min(options_.probe_windows, calibration_.windows.n_windows()),
            .n_threads = options_.n_threads,
            .kv_type = KvType::f32};
  }
  const std::string& name(const TensorCost& cost) const { return source_.canonical.tensors[cost.index].name; }

  void list_tensors() {
    const RoledModel roles = assign_roles(source_.canonical);
    for (size_t i = 0; i < source_.canonical.tensors.size(); ++i) {
      const DType from = source_.canonical.tensors[i].source->view.dtype;
      if (roles.tensors[i].role == TensorRole::kept || from == DType::i8) continue;
      costs_.emplace_back().index = i;
      add_types(costs_.back());
    }
    choose_probes();
  }

  void add_types(TensorCost& cost) {
    const CanonicalTensor& tensor = source_.canonical.tensors[cost.index];
    const int64_t columns = tensor.shape.columns();
    const auto add = [&](DType type) {
      const bool is_there =
          std::any_of(cost.types.begin(), cost.types.end(), [&](const TypeCost& t) { return t.type == type; });
      const auto size = row_bytes(type, static_cast<uint64_t>(columns));
      if (!is_there && size) cost.types.push_back({type, *size * static_cast<uint64_t>(tensor.shape.rows()), 0});
    };
    add(tensor.source->view.dtype == DType::f32 ? DType::f16 : tensor.source->view.dtype);
    for (const DType type : options_.types) add(fitting_type(type, columns));
  }

  // Evenly spread layers of each kind, first and last among them.
  void choose_probes() {
    std::map<std::string_view, std::vector<TensorCost*>> kinds;
    for (TensorCost& cost : costs_) kinds[kind_of(name(cost))].push_back(&cost);
    for (auto& [kind, list] : kinds) {
      const auto n = std::ssize(list);
      const int64_t wanted = options_.layers_measured > 0 ? std::min<int64_t>(options_.layers_measured, n) : n;
      for (int64_t k = 0; k < wanted; ++k)
        list[static_cast<size_t>(wanted > 1 ? k * (n - 1) / (wanted - 1) : n / 2)]->is_measured = true;
    }
  }

  Status measure_layer(int64_t layer, const MomentObserver& moments) {
    TensorRounder rounder(source_, moments, options_.rounding, threads_);
    for (TensorCost& cost : costs_) {
      if (layer_of(name(cost)) != layer) continue;
      if (job_.cancelled()) return cancelled_error();
      for (size_t t = 1; t < cost.types.size(); ++t) {
        SMELT_ASSIGN(cost.types[t].loss, rounder.estimate_loss(cost.index, cost.types[t].type));
      }
      if (cost.is_measured) SMELT_TRY(probe(cost, rounder));
    }
    return {};
  }

  Status probe(TensorCost& cost, TensorRounder& rounder) {
    const DType type = fitting_type(kProbeType, source_.canonical.tensors[cost.index].shape.columns());
    SMELT_ASSIGN(RoundedTensor rounded, rounder.round(cost.index, type));
    if (!(rounded.loss.chosen > 0)) return {};  // it loses nothing in any type
    NewTensors changed;
    changed[cost.index] = std::move(rounded.tensor);
    SMELT_ASSIGN(auto model, load_with(source_, changed));
    SMELT_ASSIGN(const KlReport kl,
                 evaluate_kl_against_file({model, source_.loaded.tokenizer}, calibration_.reference_path,
                                          calibration_.text, eval_options(), {nullptr, job_.cancel}));
    cost.sensitivity = std::max(0.0, kl.mean_kl.value) / rounded.loss.chosen;
    return {};
  }

  // Between the nearest measured layers of its kind, on a logarithmic scale.
  double interpolate(const TensorCost& wanted) const {
    const std::string_view kind = kind_of(name(wanted));
    const int64_t layer = layer_of(name(wanted));
    const TensorCost *before = nullptr, *after = nullptr;
    for (const TensorCost& cost : costs_) {
      if (!cost.is_measured || kind_of(name(cost)) != kind || cost.sensitivity <= 0) continue;
      if (layer_of(name(cost)) <= layer) before = &cost;
      if (layer_of(name(cost)) >= layer && after == nullptr) after = &cost;
    }
    if (before == nullptr || after == nullptr) {
      const TensorCost* only = before != nullptr ? before : after;
      return only != nullptr ? only->sensitivity : 0;
    }
    const auto a = static_cast<double>(layer_of(name(*before))), b = static_cast<double>(layer_of(name(*after)));
    const double share = b > a ? (static_cast<double>(layer) - a) / (b - a) : 0;
    return std::exp((1 - share) * std::log(before->sensitivity) + share * std::log(after->sensitivity));
  }

  const SourceModel& source_;
  const CalibrationText& calibration_;
  const CostOptions& options_;
  ThreadPool& threads_;
  const JobControl& job_;
  WeightIndex index_;
  std::vector<TensorCost> costs_;
};

}  // namespace

Result<std::vector<TensorCost>> measure_costs(const SourceModel& source, const CalibrationText& calibration,
                                              const CostOptions& options, ThreadPool& threads, const JobControl& job) {
  return CostMeter(source, calibration, options, threads, job).run();
}

std::vector<BudgetItem> budget_items(const std::vector<TensorCost>& costs) {
  std::vector<BudgetItem> items;
  for (const TensorCost& cost : costs) {
    BudgetItem item;
    for (const TypeCost& type : cost.types) item.push_back({type.bytes, type.loss * cost.sensitivity});
    items.push_back(std::move(item));
  }
  return items;
}

double predicted_kl(const std::vector<TensorCost>& costs, const TypeChoice& types) {
  double sum = 0;
  for (const TensorCost& cost : costs) {
    const auto chosen = types.find(cost.index);
    if (chosen == types.end()) continue;
    for (const TypeCost& type : cost.types) {
      if (type.type == chosen->second) sum += type.loss * cost.sensitivity;
    }
  }
  return sum;
}

}  // namespace smelt
