#include "shrink/imatrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/text.h"
#include "shrink/layer_pass.h"
#include "shrink/moments.h"

namespace smelt {
namespace {

Result<ImatrixEntry> make_entry(const CanonicalTensor& tensor, size_t index, const MomentObserver& moments) {
  ImatrixEntry entry;
  entry.name = tensor.name;
  entry.n_columns = tensor.shape.columns();
  for (int64_t m = 0; m < n_matrices_of(tensor.shape); ++m) {
    const Moment* moment = moments.find({index, m});
    entry.counts.push_back(moment == nullptr ? 0.0F : static_cast<float>(moment->n_rows));
    for (int64_t i = 0; i < entry.n_columns; ++i) {
      const double sum = moment == nullptr ? 0.0 : moment->squares[static_cast<size_t>(i)];
      if (!std::isfinite(sum) || sum > 3e38)
        return input_error(
            fmt::format("{}: input {} is not finite; the weights are damaged", escape_for_display(tensor.name), i));
      entry.sums.push_back(static_cast<float>(sum));
    }
  }
  return entry;
}

void note_unseen(const ImatrixEntry& entry) {
  const auto unseen = std::count(entry.counts.begin(), entry.counts.end(), 0.0F);
  if (unseen > 0)
    log(LogLevel::warning, fmt::format("{}: {} of {} experts saw no token; take more text",
                                       escape_for_display(entry.name), unseen, entry.counts.size()));
}

}  // namespace

Result<Imatrix> measure_imatrix(const SourceModel& source, std::string_view text, const std::string& text_name,
                                const ImatrixOptions& options, const JobControl& job) {
  const Model& model = *source.loaded.model;
  SMELT_ASSIGN(
      const WindowSettings settings,
      make_window_settings({.n_ctx = options.n_ctx, .max_windows = options.max_windows}, model.config().n_ctx_train));
  SMELT_ASSIGN(const Windows windows, cut_windows(*source.loaded.tokenizer, text, settings));
  ThreadPool threads(options.n_threads);
  SMELT_ASSIGN(LayerPass pass, LayerPass::create(source.loaded.model, windows, 0, threads));
  const WeightIndex index(source.canonical);
  MomentObserver moments(index, MomentObserver::Kind::squares, threads);
  SMELT_TRY(pass.run({.first = 0, .end = model.config().n_layers + 1}, &moments, job));
  if (moments.n_unknown() > 0)
    log(LogLevel::warning,
        "some matrices are stored in another form than they are used in, and are left out; convert "
        "the model to GGUF first ('smelt convert')");
  Imatrix out;
  out.datasets = {text_name};
  out.n_chunks = static_cast<uint32_t>(windows.n_windows());
  out.chunk_size = static_cast<uint32_t>(settings.n_ctx);
  size_t last = source.canonical.tensors.size();
  for (const auto& [place, moment] : moments.all()) {
    if (place.tensor == last) continue;  // another expert
    last = place.tensor;
    SMELT_ASSIGN(ImatrixEntry entry, make_entry(source.canonical.tensors[last], last, moments));
    note_unseen(entry);
    out.entries.push_back(std::move(entry));
  }
  return out;
}

}  // namespace smelt
