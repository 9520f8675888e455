// Q4_K: 256 values in 8 groups of 32; group g: w = d * s_g * q - dmin * m_g, q in [0, 15], s_g and m_g in [0, 63].
//
//   byte   0    2      4           16                             144
//          | d  | dmin | s, m      | qs                           |   d, dmin: f16; s, m: k_scales.h; 4.5 bits a value
//
// qs: each pair of groups has 32 bytes, the first group in the low nibbles, the second in the high ones.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/blocks/k_scales.h"
#include "tensor/super_block.h"

namespace smelt {

template <>
struct BlockFormat<DType::q4_k> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint16_t d;
    uint16_t dmin;
    uint8_t scales[12];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 144);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    const float dmin = f16_to_f32(block.dmin);
    uint8_t scales[8];
    uint8_t minima[8];
    unpack_k_scales(block.scales, scales, minima);
    for (int g = 0; g < 8; ++g) {
      const float scale = d * static_cast<float>(scales[g]);
      const float offset = dmin * static_cast<float>(minima[g]);
      const uint8_t* bytes = block.qs + 32 * (g / 2);
      const int shift = 4 * (g % 2);
      for (int j = 0; j < 32; ++j) out[32 * g + j] = scale * static_cast<float>((bytes[j] >> shift) & 15) - offset;
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    AffineSuperBlock fit;
    fit_affine_super_block({.group_size = 32, .max_scale = 63, .max_code = 15}, x, v, fit);
    out = {};
    out.d = fit.d;
    out.dmin = fit.dmin;
    pack_k_scales(fit.scales, fit.minima, out.scales);
    for (int i = 0; i < kValues; ++i) {
      const int code = static_cast<int>(fit.codes[i]);
      out.qs[32 * (i / 64) + i % 32] |= static_cast<uint8_t>(code << (4 * (i / 32 % 2)));
    }
  }
};

}  // namespace smelt
