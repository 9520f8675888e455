// What a session is made of: seen by session.cc and batch.cc only.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/large_memory.h"
#include "base/thread_pool.h"
#include "runtime/session.h"
#include "runtime/session_file.h"
#include "runtime/session_plan.h"

namespace smelt {

// What sessions that are never computed at the same time can share.
struct SessionEngine {
  static Result<std::shared_ptr<SessionEngine>> create(const SessionPlan& plan, const SessionOptions& options,
                                                       std::shared_ptr<ThreadPool> threads = nullptr);
  float* floats() const { return reinterpret_cast<float*>(workspace.data()); }

  std::shared_ptr<ThreadPool> threads;
  LargeMemory workspace;
};

// The state of recurrent layers, as it was at an earlier position.
struct StateMark {
  int64_t position = -1;  // -1: none
  float* floats = nullptr;
};

struct Session::State {
  std::shared_ptr<const Model> model;
  KvType kv_type = KvType::f16;
  SessionPlan plan;
  std::shared_ptr<SessionEngine> engine;
  LargeMemory cache, states_memory, logits_memory;
  std::vector<float> visited_logits;
  std::vector<KvLayer> layers;
  std::vector<TokenId> tokens;
  size_t last_row = 0;  // of the rows of logits: the last token's
  // Of a ring of blocks: positions written since the first token, those forgotten since included, and the first that
  // was loaded.
  int64_t n_written = 0, first_held = 0;
  float* state = nullptr;             // the model's sequence_memory; null: it has none
  int64_t n_source = 0;               // tokens encoded
  StateMark prompt_mark, draft_mark;  // before the last token of a prompt; before the tokens of the latest verify

  Status allocate_sequence();
  Status check_tokens(std::span<const TokenId> ids, bool are_written = true) const;
  Status check_saved() const;
  void forward(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits, float* hidden = nullptr);
  Status compute(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits);
  SequenceSlice slice(int64_t n_tokens, int64_t n_logits) const {
    return {.n_tokens = n_tokens,
            .position = static_cast<int64_t>(tokens.size()),
            .kv = layers,
            .state = state,
            .capacity = plan.n_ctx,
            .n_source = n_source,
            .n_logits = n_logits};
  }
  bool is_recurrent() const { return plan.n_states > 1; }
  Status check_source() const;
  void set_mark(StateMark& mark) const;
  int64_t rewind_state(int64_t position);
  void lose_state();
  Status check_finite(std::span<const float> logits, int64_t position) const;
  bool holds(int64_t position) const;
  int64_t first_saved() const;
  SessionImage image() {
    return {.model = *model,
            .kv_type = kv_type,
            .block_bytes = plan.block_bytes,
            .n_ctx = plan.n_ctx,
            .layers = layers,
            .state = {state, is_recurrent() ? static_cast<size_t>(plan.state_floats) : 0},
            .mark = {prompt_mark.floats, is_recurrent() ? static_cast<size_t>(plan.state_floats) : 0}};
  }
  float* last_logits() const { return reinterpret_cast<float*>(logits_memory.data()); }
  std::span<const float> row(size_t i) const { return {last_logits() + i * n_vocab(), n_vocab()}; }
  size_t n_vocab() const { return static_cast<size_t>(model->config().n_vocab); }
};

}  // namespace smelt
