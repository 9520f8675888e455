// Super-blocks of 256 values: groups whose scales (and minima) are small integers times one f16 shared by all. Finds
// the integers, the f16 factors and the codes together. Called by the encoders of the k-quants and of IQ4_XS; the
// search for one group on its own is quant_search.h, the packing into bytes is in blocks/.
#pragma once

#include <cstdint>

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

inline constexpr int kMaxGroups = 16;

// Type 0: x ~ d * s_g * q, s_g an integer of `scales`, q a level of `grid`.
struct ScaledLayout {
  int group_size = 16;
  Grid scales;
  Grid grid;
};

struct ScaledSuperBlock {
  uint16_t d = 0;
  int scales[kMaxGroups] = {};
  float levels[kSuperBlock] = {};
};

// x and v: 256 values, as prepare_group leaves them.
void fit_scaled_super_block(const ScaledLayout& layout, const float* x, const float* v, ScaledSuperBlock& out);

// Type 1: x ~ d * s_g * q - dmin * m_g, with s_g and m_g in 0..max_scale and q in 0..max_code.
struct AffineLayout {
  int group_size = 32;
  int max_scale = 63;
  int max_code = 15;
};

struct AffineSuperBlock {
  uint16_t d = 0;
  uint16_t dmin = 0;
  uint8_t scales[kMaxGroups] = {};
  uint8_t minima[kMaxGroups] = {};
  float codes[kSuperBlock] = {};
};

void fit_affine_super_block(const AffineLayout& layout, const float* x, const float* v, AffineSuperBlock& out);

}  // namespace smelt
