// Q2_K: 256 values in 16 groups of 16; group g: w = d * s_g * q - dmin * m_g, q in [0, 3], s_g and m_g in [0, 15].
//
//   byte   0              16                 80   82   84
//          | m_g<<4|s_g   | qs               | d  | dmin |       d, dmin: f16             2.625 bits a value
//
// qs: each half of 128 values has 32 bytes; bits 2k and 2k+1 of byte l hold value 32k + l of that half.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/super_block.h"

namespace smelt {

template <>
struct BlockFormat<DType::q2_k> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint8_t scales[16];
    uint8_t qs[64];
    uint16_t d;
    uint16_t dmin;
  };
  static_assert(sizeof(Block) == 84);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    const float dmin = f16_to_f32(block.dmin);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g] & 15);
      const float offset = dmin * static_cast<float>(block.scales[g] >> 4);
      const uint8_t* bytes = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const int shift = 2 * (g / 2 % 4);
      for (int j = 0; j < 16; ++j) out[16 * g + j] = scale * static_cast<float>((bytes[j] >> shift) & 3) - offset;
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    AffineSuperBlock fit;
    fit_affine_super_block({.group_size = 16, .max_scale = 15, .max_code = 3}, x, v, fit);
    out = {};
    out.d = fit.d;
    out.dmin = fit.dmin;
    for (int g = 0; g < 16; ++g) out.scales[g] = static_cast<uint8_t>(fit.scales[g] | (fit.minima[g] << 4));
    for (int i = 0; i < kValues; ++i) {
      const int code = static_cast<int>(fit.codes[i]);
      out.qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>(code << (2 * (i / 32 % 4)));
    }
  }
};

}  // namespace smelt
