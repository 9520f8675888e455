// The weights of T5. Called by layers/t5.cc.
#pragma once

#include <vector>

#include "models/family.h"
#include "models/layers/norm.h"
#include "models/linear.h"
#include "models/weight_binder.h"

namespace smelt {

struct T5Attention {
  NormWeights norm;
  Linear q, k, v, o;
};

struct T5Block {
  T5Attention self, cross;  // cross: of the decoder only
  NormWeights ffn_norm;
  Linear gate, up, down;  // gate: of gated models only
};

struct T5Stack {
  std::vector<T5Block> blocks;
  NormWeights norm;
  std::vector<float> biases;  // layers/biased_attention.h; those of all layers
};

struct T5Weights {
  TensorView embedding;
  Linear head;
  T5Stack encoder, decoder;
  OwnedTensors owned;
};

Result<T5Weights> bind_t5_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ModelFamily& family);
std::vector<Linear*> linears_of(T5Weights& weights);

}  // namespace smelt
