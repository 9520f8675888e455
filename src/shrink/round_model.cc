#include "shrink/round_model.h"

#include "shrink/layer_names.h"
#include "shrink/layer_pass.h"

namespace smelt {
namespace {

class ModelRounder {
 public:
  ModelRounder(const SourceModel& source, const TypeChoice& types, const RoundModelOptions& options,
               ThreadPool& threads, const JobControl& job)
      : source_(source), types_(types), options_(options), threads_(threads), job_(job), index_(source.canonical) {}

  Result<RoundedModel> run(const Windows& windows) {
    const int64_t n_layers = source_.loaded.model->config().n_layers;
    SMELT_ASSIGN(LayerPass pass, LayerPass::create(source_.loaded.model, windows, 1, threads_));
    SMELT_TRY(round_outside(pass, n_layers));
    if (options_.quantized_prefix) SMELT_TRY(go_on_with_new(pass));
    for (int64_t layer = 0; layer < n_layers; ++layer) {
      job_.update("rounding", static_cast<uint64_t>(layer), static_cast<uint64_t>(n_layers), "layers");
      SMELT_TRY(round_layer(pass, layer));
    }
    job_.update("rounding", static_cast<uint64_t>(n_layers), static_cast<uint64_t>(n_layers), "layers");
    return std::move(out_);
  }

 private:
  // Embedding and head first: the embedding is the input of all layers. Their moments are those of the whole model.
  Status round_outside(LayerPass& pass, int64_t n_layers) {
    bool any = false;
    for (const auto& [index, type] : types_) any = any || layer_of(name(index)) < 0;
    if (!any) return {};
    for (int64_t layer = 0; layer < n_layers; ++layer) SMELT_TRY(pass.run({layer, layer + 1}, nullptr, job_));
    MomentObserver moments(index_, MomentObserver::Kind::products, threads_);
    SMELT_TRY(pass.run({n_layers, n_layers + 1, false}, &moments, job_));
    return round_all(-1, moments);
  }

  Status round_layer(LayerPass& pass, int64_t layer) {
    if (is_known(layer)) return advance(pass, layer);
    MomentObserver moments(index_, MomentObserver::Kind::products, threads_);
    SMELT_TRY(pass.run({layer, layer + 1, false}, &moments, job_));
    SMELT_TRY(round_all(layer, moments));
    return advance(pass, layer);
  }

  Status advance(LayerPass& pass, int64_t layer) {
    if (options_.quantized_prefix) SMELT_TRY(go_on_with_new(pass));
    return pass.run({layer, layer + 1}, nullptr, job_);
  }

  Status go_on_with_new(LayerPass& pass) {
    SMELT_ASSIGN(auto model, load_with(source_, out_.tensors));
    pass.set_model(std::move(model));
    return {};
  }

  // All tensors of a layer are in the store; takes them from there.
  bool is_known(int64_t layer) {
    if (!options_.store.find) return false;
    std::map<size_t, RoundedTensor> found;
    for (const auto& [index, type] : types_) {
      if (layer_of(name(index)) != layer) continue;
      auto rounded = options_.store.find(index, type);
      if (!rounded) return false;
      found.emplace(index, std::move(*rounded));
    }
    for (auto& [index, rounded] : found) keep(index, std::move(rounded));
    return true;
  }

  Status round_all(int64_t layer, const MomentObserver& moments) {
    TensorRounder rounder(source_, moments, options_.tensor, threads_);
    for (const auto& [index, type] : types_) {
      if (layer_of(name(index)) != layer) continue;
      if (job_.cancelled()) return cancelled_error();
      auto known = options_.store.find ? options_.store.find(index, type) : std::nullopt;
      if (!known) {
        SMELT_ASSIGN(known, rounder.round(index, type));
        if (options_.store.save) SMELT_TRY(options_.store.save(index, *known));
      }
      keep(index, std::move(*known));
    }
    return {};
  }

  void keep(size_t index, RoundedTensor rounded) {
    out_.losses[index] = rounded.loss;
    out_.tensors[index] = std::move(rounded.tensor);
  }
  const std::string& name(size_t index) const { return source_.canonical.tensors[index].name; }

  const SourceModel& source_;
  TypeChoice types_;  // of what is to be rounded
  const RoundModelOptions& options_;
  ThreadPool& threads_;
  const JobControl& job_;
  WeightIndex index_;
  RoundedModel out_;
};

}  // namespace

Result<RoundedModel> round_model(const SourceModel& source, const Windows& windows, const TypeChoice& types,
                                 const RoundModelOptions& options, ThreadPool& threads, const JobControl& job) {
  return ModelRounder(source, types, options, threads, job).run(windows);
}

}  // namespace smelt
