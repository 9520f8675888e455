// The weights of a decoder, or of an encoder's layers: which tensors of the family's table there are says which norms,
// biases and fused matrices its layers have. Called by layers/decoder.cc and layers/encoder.cc.
#pragma once

#include <span>
#include <vector>

#include "models/decoder.h"
#include "models/layers/norm.h"
#include "models/linear.h"
#include "models/packed_weights.h"
#include "models/weight_binder.h"

namespace smelt {

struct FeedForward {
  Linear gate, up, down;
};

struct LayerWeights {
  NormWeights attn_norm, q_norm, k_norm, attn_sub_norm, attn_post_norm;
  NormWeights ffn_norm, ffn_sub_norm, ffn_post_norm;
  NormWeights attn_sum_norm, ffn_sum_norm;  // of x after each half (encoders)
  Linear q, k, v, o;
  FeedForward ffn;
  // Mixtures: in place of ffn.
  Linear router;                     // {n_experts, d_model}
  std::vector<FeedForward> experts;  // empty: no mixture
  FeedForward shared;
  std::vector<float> shared_gate;  // [d_model], whose product with a row says how much of `shared` counts
};

struct DecoderWeights {
  TensorView embedding;
  std::vector<float> positions;  // [n_ctx_train][d_model], or empty
  Linear head;
  NormWeights output_norm;
  std::vector<LayerWeights> layers;
  OwnedTensors owned;  // what the file has in another form; views above show it
};

Result<DecoderWeights> bind_decoder_weights(const Checkpoint& checkpoint, const ModelConfig& config,
                                            const ModelFamily& family);
// All matrices that are multiplied by.
std::vector<Linear*> linears_of(DecoderWeights& weights);

}  // namespace smelt
