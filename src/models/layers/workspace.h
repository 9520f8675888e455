// The parts of the caller's workspace that a decoder's pass uses. Called by layers/decoder.cc and
// layers/encoder.cc.
#pragma once

#include <cstddef>
#include <span>

#include "kernels/kernels.h"
#include "models/layers/mixture.h"
#include "models/model_config.h"

namespace smelt {

// A token of a pass: where it stands, and in which of the model's rotations.
struct TokenPlace {
  int64_t position;
  bool is_long;      // rotated by ModelConfig::long_inv_freq
  int64_t ntk_room;  // positions that its sequence has room for, where the base grows with them; or 0
};

// Angles of one set of frequencies: [m][n_rope/2] each.
struct RopeTable {
  float *cos, *sin;
};

struct Workspace {
  float *x, *h, *q, *k, *v, *mixed, *gate, *up, *matmul, *qmatmul;
  RopeTable rope, local_rope;
  std::span<float> attention;
  QuantizedRows hq, mixed_q, gate_q;
  MixtureBuffers mixture;
  std::byte* stock_row;
  TokenPlace* places;
  AttentionSlice* slices;
  int64_t floats;
};

struct WorkspaceLimits {
  int64_t m = 0;         // tokens of a pass
  int64_t capacity = 0;  // positions of the longest sequence, the pass included
  int n_threads = 1;
};
// base null: only the size.
Workspace plan_workspace(const ModelConfig& config, float* base, const WorkspaceLimits& limits);

}  // namespace smelt
