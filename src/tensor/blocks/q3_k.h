// Q3_K: 256 values in 16 groups of 16; group g: w = d * s_g * (q - 4), q in [0, 7], s_g in [-32, 31].
//
//   byte   0         32                 96          108  110
//          | hmask   | qs               | scales    | d  |       d: f16                   3.4375 bits a value
//
// qs holds the low two bits as Q2_K does; bit k of hmask[l] is the third bit of value 32k + l.
// scales holds s_g + 32 in 6 bits: the low four in the nibbles of bytes 0-7 (groups 0-7 low, 8-15 high), the high two
// in bytes 8-11: bits 2k and 2k+1 of byte 8 + i belong to group 4k + i.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/super_block.h"

namespace smelt {

template <>
struct BlockFormat<DType::q3_k> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint8_t hmask[32];
    uint8_t qs[64];
    uint8_t scales[12];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 110);

  static int scale(const Block& block, int g) {
    const int low = (block.scales[g % 8] >> (4 * (g / 8))) & 15;
    const int high = (block.scales[8 + g % 4] >> (2 * (g / 4))) & 3;
    return (low | (high << 4)) - 32;
  }

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    for (int g = 0; g < 16; ++g) {
      const float group_scale = d * static_cast<float>(scale(block, g));
      const uint8_t* low = block.qs + 32 * (g / 8) + 16 * (g % 2);
      const uint8_t* high = block.hmask + 16 * (g % 2);
      const int low_shift = 2 * (g / 2 % 4);
      const int high_shift = g / 2;
      for (int j = 0; j < 16; ++j) {
        const int code = ((low[j] >> low_shift) & 3) | (((high[j] >> high_shift) & 1) << 2);
        out[16 * g + j] = group_scale * static_cast<float>(code - 4);
      }
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    ScaledSuperBlock fit;
    fit_scaled_super_block({.group_size = 16, .scales = {-32, 31}, .grid = {-4, 3}}, x, v, fit);
    out = {};
    out.d = fit.d;
    for (int g = 0; g < 16; ++g) {
      const int scale = fit.scales[g] + 32;
      out.scales[g % 8] |= static_cast<uint8_t>((scale & 15) << (4 * (g / 8)));
      out.scales[8 + g % 4] |= static_cast<uint8_t>((scale >> 4) << (2 * (g / 4)));
    }
    for (int i = 0; i < kValues; ++i) {
      const int code = static_cast<int>(fit.levels[i]) + 4;
      out.qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>((code & 3) << (2 * (i / 32 % 4)));
      out.hmask[i % 32] |= static_cast<uint8_t>((code >> 2) << (i / 32));
    }
  }
};

}  // namespace smelt
