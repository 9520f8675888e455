// Rotary positions of all heads of all rows. Called by layers/decoder.cc and layers/encoder.cc.
#pragma once

#include "base/thread_pool.h"
#include "models/layers/workspace.h"
#include "models/model_config.h"

namespace smelt {

// Queries or keys: [m][n_heads][d_head].
struct HeadRows {
  float* x;
  int64_t m, n_heads;
};
// Row i by the angles of row i.
void rotate_rows(const HeadRows& rows, const ModelConfig& config, const RopeTable& angles, ThreadPool& threads);

}  // namespace smelt
