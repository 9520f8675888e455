// How much memory a session takes, before any is allocated. Called by session.cc only.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "models/model.h"
#include "runtime/session.h"

namespace smelt {

struct SessionPlan {
  int64_t n_ctx = 0;
  int64_t chunk = 0;         // tokens of a forward pass of append at most
  int64_t max_draft = 0;     // … of verify, less one
  uint64_t block_bytes = 0;  // of kKvBlock positions in one layer
  uint64_t layer_bytes = 0;  // whole blocks
  uint64_t kv_bytes = 0;
  int64_t state_floats = 0;  // what the sequence has besides the KV cache
  int64_t n_states = 0;      // 1, or of recurrent layers also those of earlier positions
  uint64_t state_bytes = 0;  // of all of them
  uint64_t workspace_bytes = 0;
  uint64_t logits_bytes = 0;

  uint64_t sequence_bytes() const { return kv_bytes + state_bytes; }
  uint64_t total() const { return sequence_bytes() + workspace_bytes + logits_bytes; }
};

// For options.n_ctx tokens, or the training context for 0; usage errors name an option out of range.
Result<SessionPlan> plan_session(const Model& model, const SessionOptions& options);
// The same within options.memory_budget_bytes, weights included: a context that was not asked for (0) is reduced to
// what fits, with a note; what does not fit is an error with both figures.
Result<SessionPlan> plan_session_in_budget(const Model& model, const SessionOptions& options);

}  // namespace smelt
