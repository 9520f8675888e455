// For tests of models/: a cache and a workspace around a model's forward pass, without runtime/.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "models/model.h"

namespace smelt {

class TestRun {
 public:
  // source: what a model with an encoder writes about.
  TestRun(std::shared_ptr<const Model> model, int64_t capacity, int n_threads, KvType kv_type = KvType::f32,
          std::span<const TokenId> source = {})
      : model_(std::move(model)), capacity_(capacity), threads_(n_threads) {
    const ModelConfig& c = model_->config();
    state_.resize(static_cast<size_t>(model_->sequence_memory(capacity).floats));
    const int64_t n_blocks = (capacity + kKvBlock - 1) / kKvBlock;
    const bool has_kv = c.n_kv_heads > 0;
    const int64_t bytes = has_kv ? n_blocks * kv_block_bytes({c.n_kv_heads, c.d_head, kv_type}) : 0;
    for (int64_t l = 0; l < c.n_layers && has_kv; ++l) {
      kv_.push_back({cache_.emplace_back(static_cast<size_t>(bytes)).data(), n_blocks, kv_type});
    }
    workspace_.resize(static_cast<size_t>(model_->workspace_floats(capacity, capacity, n_threads)));
    n_source_ = static_cast<int64_t>(source.size());
    if (n_source_ == 0) return;
    model_->encode({.tokens = source, .state = state_.data(), .capacity = capacity_, .workspace = workspace_.data()},
                   threads_);
  }

  // Appends tokens in one pass; logits of the last n_logits of them.
  std::vector<float> append(std::span<const TokenId> tokens, int64_t n_logits) {
    std::vector<float> logits(static_cast<size_t>(n_logits * model_->config().n_vocab));
    append_into(tokens, n_logits, logits.data());
    return logits;
  }
  void append_into(std::span<const TokenId> tokens, int64_t n_logits, float* logits) {
    const auto n = static_cast<int64_t>(tokens.size());
    SequenceSlice slice = this->slice(n);
    slice.n_logits = n_logits;
    model_->forward({.kind = n == 1 ? PassKind::decode : PassKind::prefill,
                     .tokens = tokens,
                     .slices = {&slice, 1},
                     .workspace = workspace_.data(),
                     .logits = logits},
                    threads_);
    position_ += n;
  }

  // A pass of the caller's making, in this run's workspace.
  void run(ForwardArgs args) {
    args.workspace = workspace_.data();
    model_->forward(args, threads_);
  }
  SequenceSlice slice(int64_t n_tokens) {
    return {.n_tokens = n_tokens,
            .position = position_,
            .kv = kv_,
            .state = state_.data(),
            .capacity = capacity_,
            .n_source = n_source_};
  }
  std::span<const float> state() const { return state_; }

  int64_t position() const { return position_; }

 private:
  std::shared_ptr<const Model> model_;
  int64_t capacity_;
  int64_t position_ = 0, n_source_ = 0;
  ThreadPool threads_;
  std::vector<std::vector<std::byte>> cache_;
  std::vector<KvLayer> kv_;
  std::vector<float> workspace_, state_;
};

inline TokenId argmax(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace smelt
