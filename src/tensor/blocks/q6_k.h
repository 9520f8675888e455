// Q6_K: 256 values in 16 groups of 16; group g: w = d * s_g * (q - 32), q in [0, 63], s_g in [-128, 127].
//
//   byte   0                   128        192       208  210
//          | ql                | qh       | s       | d  |       d: f16, s: int8          6.5625 bits a value
//
// Each half of 128 values has 64 bytes of ql and 32 of qh. With k = 0..3 and l = 0..31, value 32k + l of a half has its
// low four bits in the (k < 2 ? low : high) nibble of ql[32 * (k % 2) + l] and its high two in bits 2k, 2k+1 of qh[l].
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/super_block.h"

namespace smelt {

template <>
struct BlockFormat<DType::q6_k> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint8_t ql[128];
    uint8_t qh[64];
    int8_t scales[16];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 210);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    for (int g = 0; g < 16; ++g) {
      const float scale = d * static_cast<float>(block.scales[g]);
      const int k = g / 2 % 4;
      const uint8_t* low = block.ql + 64 * (g / 8) + 32 * (k % 2) + 16 * (g % 2);
      const uint8_t* high = block.qh + 32 * (g / 8) + 16 * (g % 2);
      const int low_shift = 4 * (k / 2);
      for (int j = 0; j < 16; ++j) {
        const int code = ((low[j] >> low_shift) & 15) | (((high[j] >> (2 * k)) & 3) << 4);
        out[16 * g + j] = scale * static_cast<float>(code - 32);
      }
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    ScaledSuperBlock fit;
    fit_scaled_super_block({.group_size = 16, .scales = {-128, 127}, .grid = {-32, 31}}, x, v, fit);
    out = {};
    out.d = fit.d;
    for (int g = 0; g < 16; ++g) out.scales[g] = static_cast<int8_t>(fit.scales[g]);
    for (int i = 0; i < kValues; ++i) {
      const int code = static_cast<int>(fit.levels[i]) + 32;
      const int k = i / 32 % 4;
      out.ql[64 * (i / 128) + 32 * (k % 2) + i % 32] |= static_cast<uint8_t>((code & 15) << (4 * (k / 2)));
      out.qh[32 * (i / 128) + i % 32] |= static_cast<uint8_t>((code >> 4) << (2 * k));
    }
  }
};

}  // namespace smelt
