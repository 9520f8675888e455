// Rotary position embedding (Su et al., RoFormer, arXiv 2104.09864).
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

enum class RopeLayout {
  interleaved,  // pairs (2i, 2i+1): Llama checkpoints of Meta, llama2.c, GGUF's "llama" family
  half_split,   // pairs (i, i + d/2): Hugging Face checkpoints, GPT-NeoX, Qwen2
};

// Fills cos/sin [n_rope/2] for one position: angle_i = position * inv_freq[i].
void rope_angles_into(const float* inv_freq, int64_t n_rope, int64_t position, float* cos, float* sin);

// The rotation of one position.
struct RopeRotation {
  int64_t n_rope = 0;  // rotated values of a head, the first ones
  RopeLayout layout = RopeLayout::interleaved;
  const float* cos = nullptr;  // [n_rope/2]
  const float* sin = nullptr;  // [n_rope/2]
};

// Rotates in place each of n_heads heads at x[n_heads][d_head]; values of a head from n_rope on stay as they are.
void rope_in_place(float* x, int64_t n_heads, int64_t d_head, const RopeRotation& rotation, Isa isa = chosen_isa());

}  // namespace smelt
