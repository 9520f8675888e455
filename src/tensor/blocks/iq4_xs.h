// IQ4_XS: 256 values in 8 groups of 32; group g: w = d * s_g * T[q], T = kNonLinearLevels, s_g in [-32, 31].
//
//   byte   0    2     4     8                          136
//          | d  | sh  | sl  | qs                       |   d: f16                 4.25 bits a value
//
// s_g + 32 has its low four bits in nibble g of sl (low nibble first) and its high two in bits 2g, 2g+1 of the 16-bit
// sh. qs: each group has 16 bytes, packed as in IQ4_NL.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/super_block.h"

namespace smelt {

template <>
struct BlockFormat<DType::iq4_xs> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint16_t d;
    uint16_t scales_high;
    uint8_t scales_low[4];
    uint8_t qs[128];
  };
  static_assert(sizeof(Block) == 136);

  static int scale(const Block& block, int g) {
    const int low = (block.scales_low[g / 2] >> (4 * (g % 2))) & 15;
    const int high = (block.scales_high >> (2 * g)) & 3;
    return (low | (high << 4)) - 32;
  }

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    for (int g = 0; g < 8; ++g) {
      const float group_scale = d * static_cast<float>(scale(block, g));
      uint8_t codes[32];
      unpack_nibbles_32(block.qs + 16 * g, codes);
      for (int j = 0; j < 32; ++j) out[32 * g + j] = group_scale * static_cast<float>(kNonLinearLevels[codes[j]]);
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    ScaledSuperBlock fit;
    fit_scaled_super_block({.group_size = 32, .scales = {-32, 31}, .grid = kNonLinearGrid}, x, v, fit);
    out = {};
    out.d = fit.d;
    for (int g = 0; g < 8; ++g) {
      const int scale = fit.scales[g] + 32;
      out.scales_low[g / 2] |= static_cast<uint8_t>((scale & 15) << (4 * (g % 2)));
      out.scales_high = static_cast<uint16_t>(out.scales_high | ((scale >> 4) << (2 * g)));
      uint8_t codes[32];
      for (int j = 0; j < 32; ++j) codes[j] = non_linear_code(fit.levels[32 * g + j]);
      pack_nibbles_32(codes, out.qs + 16 * g);
    }
  }
};

}  // namespace smelt
