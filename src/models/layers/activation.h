// The inner half of a feed-forward: its activation, gated or not. Called by layers/decoder.cc.
#pragma once

#include "models/linear.h"
#include "models/model_config.h"

namespace smelt {

// x = activation(x) * factors, over n values; factors is overwritten.
void activate_in_place(Activation activation, float* x, float* factors, int64_t n);

// The layers before the activation and their buffers, [m][outputs] each.
struct FeedForwardLayers {
  const Linear *gate, *up;  // gate null: there is none
  float *gate_values, *up_values;
};
// activation(gate x) * (up x), or activation(up x), as the input `out` of the layer after it, whose values are
// gate_values. Values are written even if not wanted, unless all is done by kernels that fuse the two.
void feed_forward_into(const LinearInput& input, int64_t m, const FeedForwardLayers& layers, Activation activation,
                       const LinearInput& out, const LinearContext& context);

}  // namespace smelt
