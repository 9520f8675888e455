// Hyper-parameters of a decoder-only model, checked: every field is in range and consistent with the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/rope/rope.h"

namespace smelt {

struct ModelConfig {
  std::string family;        // "llama"
  std::string architecture;  // as in the file: "llama", "LlamaForCausalLM"
  std::string name;          // general.name or the folder's name
  int64_t n_layers = 0, d_model = 0, n_heads = 0, n_kv_heads = 0, d_head = 0, d_ff = 0, n_vocab = 0;
  int64_t n_ctx_train = 0;
  int64_t window = 0;  // positions that a token sees, itself included, in every layer; 0: all before it
  float rms_norm_eps = 1e-5F;
  bool tied_head = false;
  RopeLayout rope_layout = RopeLayout::interleaved;
  int64_t n_rope = 0;  // rotated values per head
  float rope_base = 10000.0F;
  std::vector<float> inv_freq;  // [n_rope/2], scaling already applied
};

}  // namespace smelt
