// IQ4_NL: 32 values, w = d * T[q], T the 16 non-linear levels kNonLinearLevels.
//
//   byte   0    2                                 18
//          | d  | q0|q16<<4  q1|q17<<4 ... q15|q31<<4 |   d: f16                  4.5 bits a value
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::iq4_nl> {
  static constexpr int kValues = 32;
  struct Block {
    uint16_t d;
    uint8_t qs[16];
  };
  static_assert(sizeof(Block) == 18);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    uint8_t codes[kValues];
    unpack_nibbles_32(block.qs, codes);
    for (int j = 0; j < kValues; ++j) out[j] = d * static_cast<float>(kNonLinearLevels[codes[j]]);
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    const Group group{x, v, kValues};
    out.d = settle_half_scale(kNonLinearGrid, group, fit_scale(kNonLinearGrid, group, levels), levels);
    uint8_t codes[kValues];
    for (int j = 0; j < kValues; ++j) codes[j] = non_linear_code(levels[j]);
    pack_nibbles_32(codes, out.qs);
  }
};

}  // namespace smelt
