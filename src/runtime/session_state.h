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
  static Result<std::shared_ptr<SessionEngine>> create(const SessionPlan& plan, int n_threads,
                                                       std::shared_ptr<ThreadPool> threads = nullptr);
  float* floats() const { return reinterpret_cast<float*>(workspace.data()); }

  std::shared_ptr<ThreadPool> threads;
  LargeMemory workspace;
};

struct Session::State {
  std::shared_ptr<const Model> model;
  KvType kv_type = KvType::f16;
  SessionPlan plan;
  std::shared_ptr<SessionEngine> engine;
  LargeMemory cache, logits_memory;
  std::vector<float> visited_logits;
  std::vector<KvLayer> layers;
  std::vector<TokenId> tokens;
  size_t last_row = 0;  // of the rows of logits: the last token's
  // Of a ring of blocks: positions written since the first token, those forgotten since included, and the first that
  // was loaded.
  int64_t n_written = 0, first_held = 0;

  Status allocate_sequence();
  Status check_tokens(std::span<const TokenId> ids) const;
  void forward(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits);
  Status compute(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits);
  Status check_finite(std::span<const float> logits, int64_t position) const;
  bool holds(int64_t position) const;
  int64_t first_saved() const;
  SessionImage image() { return {*model, kv_type, plan.block_bytes, plan.n_ctx, layers}; }
  float* last_logits() const { return reinterpret_cast<float*>(logits_memory.data()); }
  std::span<const float> row(size_t i) const { return {last_logits() + i * n_vocab(), n_vocab()}; }
  size_t n_vocab() const { return static_cast<size_t>(model->config().n_vocab); }
};

}  // namespace smelt
