// What a token costs at least: bytes that must be read, products that must be made. For speed.cc.
#pragma once

#include <cstdint>

#include "models/model.h"

namespace smelt {

struct SpeedCost {
  uint64_t weights_bytes = 0;     // all tensors
  double decode_bytes = 0;        // weights of one pass that writes: all but the embedding, of which a row a token
  double row_bytes = 0;           // that row; 0 where the embedding is the head too
  double kv_bytes_per_token = 0;  // of one position, all layers
  double layer_ops = 0;           // per token, in all layers
  double head_ops = 0;            // per token whose logits are wanted
};

SpeedCost speed_cost(const Model& model, KvType kv_type);

}  // namespace smelt
