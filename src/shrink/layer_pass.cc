#include "shrink/layer_pass.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "kernels/attention/kv_cache.h"

namespace smelt {
namespace {

constexpr int64_t kMaxChunk = 512;
constexpr int64_t kMaxChunkLogits = int64_t{1} << 24;  // 64 MiB

}  // namespace

Result<LayerPass> LayerPass::create(std::shared_ptr<const Model> model, const Windows& windows, int64_t max_layers,
                                    ThreadPool& threads) {
  if (model->sequence_memory(windows.settings.n_ctx).floats > 0)
    return input_error(
        fmt::format("{}: models with a recurrent state or an encoder cannot be gone through layer by layer",
                    model->checkpoint().path()));
  LayerPass pass(std::move(model), windows, threads);
  SMELT_TRY(pass.allocate(max_layers));
  return pass;
}

Status LayerPass::allocate(int64_t max_layers) {
  const ModelConfig& c = model_->config();
  const int64_t n_ctx = windows_->settings.n_ctx;
  chunk_ = std::clamp<int64_t>(kMaxChunkLogits / c.n_vocab, 1, std::min(kMaxChunk, n_ctx));
  max_layers_ = max_layers > 0 ? std::min(max_layers, c.n_layers) : c.n_layers;
  const KvShape shape{c.n_kv_heads, c.d_head, KvType::f32};
  const auto layer_bytes = kv_layer_bytes(shape, n_ctx);
  if (!layer_bytes) return input_error(fmt::format("windows of {} tokens are too long", n_ctx));
  layer_bytes_ = *layer_bytes;
  kv_blocks_ = static_cast<int64_t>(layer_bytes_) / kv_block_bytes(shape);
  SMELT_ASSIGN(kv_, LargeMemory::allocate(layer_bytes_ * static_cast<uint64_t>(max_layers_)));
  const int64_t floats = model_->workspace_floats(chunk_, n_ctx, threads_->size());
  SMELT_ASSIGN(workspace_, LargeMemory::allocate(static_cast<uint64_t>(floats) * sizeof(float)));
  SMELT_ASSIGN(logits_, LargeMemory::allocate(static_cast<uint64_t>(chunk_ * c.n_vocab) * sizeof(float)));
  if (max_layers == 0) return {};
  const uint64_t row_bytes = static_cast<uint64_t>(c.d_model) * sizeof(float);
  SMELT_ASSIGN(hidden_, LargeMemory::allocate(static_cast<uint64_t>(windows_->ids.size()) * row_bytes));
  SMELT_ASSIGN(discarded_, LargeMemory::allocate(static_cast<uint64_t>(chunk_) * row_bytes));
  return {};
}

Status LayerPass::run(const Part& part, LinearObserver* observer, const JobControl& job) {
  for (int64_t w = 0; w < windows_->n_windows(); ++w) {
    if (job.cancelled()) return cancelled_error();
    run_window(w, part, observer);
  }
  return {};
}

void LayerPass::run_window(int64_t window, const Part& part, LinearObserver* observer) {
  const ModelConfig& c = model_->config();
  const bool has_head = part.end > c.n_layers;
  const int64_t last = std::min(part.end, c.n_layers);
  SMELT_CHECK(part.first >= 0 && part.first <= last && last - part.first <= max_layers_);
  SMELT_CHECK(hidden_.data() != nullptr || (part.first == 0 && has_head));
  std::vector<KvLayer> layers(static_cast<size_t>(c.n_layers), {kv_.data(), kv_blocks_, KvType::f32});
  for (int64_t l = part.first; l < last; ++l)
    layers[static_cast<size_t>(l)].blocks = kv_.data() + static_cast<uint64_t>(l - part.first) * layer_bytes_;
  const std::span<const TokenId> ids = windows_->window(window);
  const int64_t n = windows_->settings.n_ctx;
  auto* hidden = reinterpret_cast<float*>(hidden_.data());
  for (int64_t begin = 0; begin < n; begin += chunk_) {
    const int64_t m = std::min(chunk_, n - begin);
    const SequenceSlice slice{.n_tokens = m, .position = begin, .kv = layers, .n_logits = has_head ? m : 0};
    float* state = hidden == nullptr ? nullptr : hidden + (window * n + begin) * c.d_model;
    if (!part.keep && state != nullptr && !has_head) {
      auto* copy = reinterpret_cast<float*>(discarded_.data());
      std::copy_n(state, m * c.d_model, copy);
      state = copy;
    }
    model_->forward({.kind = PassKind::prefill,
                     .tokens = ids.subspan(static_cast<size_t>(begin), static_cast<size_t>(m)),
                     .slices = {&slice, 1},
                     .workspace = reinterpret_cast<float*>(workspace_.data()),
                     .logits = reinterpret_cast<float*>(logits_.data()),
                     .layers = {part.first, has_head ? -1 : part.end, state},
                     .observer = observer},
                    *threads_);
  }
}

}  // namespace smelt
