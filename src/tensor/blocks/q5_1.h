// Q5_1: 32 values, w = d * q + m, q in [0, 31]; the fifth bits of all values are together.
//
//   byte   0    2    4         8                            24
//          | d  | m  | qh      | q0|q16<<4 ... q15|q31<<4    |   d, m: f16, bit j of qh: bit 4 of q_j   6 bits a value
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::q5_1> {
  static constexpr int kValues = 32;
  struct Block {
    uint16_t d;
    uint16_t m;
    uint8_t qh[4];
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 24);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    const float m = f16_to_f32(block.m);
    uint8_t codes[kValues];
    unpack_nibbles_32(block.qs, codes);
    unpack_fifth_bits_32(block.qh, codes);
    for (int j = 0; j < kValues; ++j) out[j] = d * static_cast<float>(codes[j]) + m;
  }

  static void encode(const float* x, const float* v, Block& out) {
    constexpr int kMaxCode = 31;
    float levels[kValues];
    const Group group{x, v, kValues};
    const HalfAffine fit = settle_half_affine(kMaxCode, group, fit_affine(kMaxCode, false, group, levels), levels);
    out.d = fit.d;
    out.m = fit.m;
    uint8_t codes[kValues];
    for (int j = 0; j < kValues; ++j) codes[j] = static_cast<uint8_t>(levels[j]);
    pack_nibbles_32(codes, out.qs);
    pack_fifth_bits_32(codes, out.qh);
  }
};

}  // namespace smelt
