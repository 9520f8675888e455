// Q5_0: 32 values, w = d * (q - 16), q in [0, 31]; the fifth bits of all values are together.
//
//   byte   0    2         6                            22
//          | d  | qh      | q0|q16<<4 ... q15|q31<<4    |   d: f16, bit j of qh: bit 4 of q_j     5.5 bits a value
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::q5_0> {
  static constexpr int kValues = 32;
  struct Block {
    uint16_t d;
    uint8_t qh[4];
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 22);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    uint8_t codes[kValues];
    unpack_nibbles_32(block.qs, codes);
    unpack_fifth_bits_32(block.qh, codes);
    for (int j = 0; j < kValues; ++j) out[j] = d * static_cast<float>(codes[j] - 16);
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    const Grid grid{-16, 15};
    const Group group{x, v, kValues};
    out.d = settle_half_scale(grid, group, fit_scale(grid, group, levels), levels);
    uint8_t codes[kValues];
    for (int j = 0; j < kValues; ++j) codes[j] = static_cast<uint8_t>(levels[j] + 16.0f);
    pack_nibbles_32(codes, out.qs);
    pack_fifth_bits_32(codes, out.qh);
  }
};

}  // namespace smelt
