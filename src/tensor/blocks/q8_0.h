// Q8_0: 32 values, w = d * q, q in [-127, 127].
//
//   byte   0    2                                 34
//          | d  | q0 q1 q2 ... q31                 |      d: f16, q: int8         8.5 bits a value
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::q8_0> {
  static constexpr int kValues = 32;
  struct Block {
    uint16_t d;
    int8_t qs[32];
  };
  static_assert(sizeof(Block) == 34);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    for (int j = 0; j < kValues; ++j) out[j] = d * static_cast<float>(block.qs[j]);
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    const Grid grid{-127, 127};
    const Group group{x, v, kValues};
    out.d = settle_half_scale(grid, group, fit_scale(grid, group, levels), levels);
    for (int j = 0; j < kValues; ++j) out.qs[j] = static_cast<int8_t>(levels[j]);
  }
};

}  // namespace smelt
