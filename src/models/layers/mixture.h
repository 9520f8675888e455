// A mixture of experts in place of a feed-forward: each token goes through the few experts that its router ranks first,
// and one that all tokens share, where there is one. Called by layers/decoder.cc.
#pragma once

#include <cstdint>

#include "models/layers/decoder_weights.h"
#include "models/linear.h"
#include "models/model_config.h"

namespace smelt {

struct InnerBuffers {
  float *gate = nullptr, *up = nullptr;  // [m][width]
  QuantizedRows quantized = {};
};

// Memory of a pass of m tokens.
struct MixtureBuffers {
  float* scores = nullptr;    // [m][n_experts]
  int32_t* chosen = nullptr;  // [m][n_experts_used]
  float* shares = nullptr;    // [m][n_experts_used]
  int32_t* rows = nullptr;    // [m]: the tokens of one expert
  float* row_shares = nullptr;
  float* gathered = nullptr;  // [m][d_model]
  QuantizedRows gathered_q = {};
  InnerBuffers expert, shared;
  float* out = nullptr;  // [m][d_model]
};

struct MixtureArgs {
  const LayerWeights& weights;
  const ModelConfig& config;
  const MixtureBuffers& buffers;
  const LinearContext& context;
  int64_t m;
};

// The rows that a mixture reads, in all forms that its matrices need.
LinearInput make_mixture_input(const LayerWeights& weights, float* values, const QuantizedRows& quantized);
// x += mixture(input). A token's experts are added in the order of their numbers, whatever else is in the pass.
void add_mixture(const MixtureArgs& args, const LinearInput& input, float* x);

}  // namespace smelt
