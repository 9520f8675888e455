// The weights of state-space models. Called by layers/ssm.cc.
#pragma once

#include <vector>

#include "models/family.h"
#include "models/layers/norm.h"
#include "models/linear.h"
#include "models/weight_binder.h"

namespace smelt {

struct SsmLayer {
  NormWeights norm;
  Linear in;                 // {d_inner + d_conv + n_heads, d_model}: gate, what the convolution takes, time steps
  std::vector<float> taps;   // [n_taps][d_conv]
  std::vector<float> bias;   // [d_conv], of the convolution
  std::vector<float> dt;     // [n_heads], added to the time steps
  std::vector<float> a;      // [n_heads], negative: the state decays by exp(step * a)
  std::vector<float> skip;   // [n_heads]
  std::vector<float> gated;  // [d_inner], of the norm behind the gate
  Linear out;                // {d_model, d_inner}
};

struct SsmWeights {
  TensorView embedding;
  NormWeights norm;
  Linear head;
  std::vector<SsmLayer> layers;
  OwnedTensors owned;
};

Result<SsmWeights> bind_ssm_weights(const Checkpoint& checkpoint, const ModelConfig& config, const ModelFamily& family);
std::vector<Linear*> linears_of(SsmWeights& weights);

}  // namespace smelt
