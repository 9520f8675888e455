// TQ2_0: 256 ternary values, w = d * (q - 1), q in [0, 2].
//
//   byte   0                 64  66
//          | qs              | d |       d: f16                  2.0625 bits a value
//
// qs: each half of 128 values has 32 bytes; bits 2k and 2k+1 of byte l hold value 32k + l of that half.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::tq2_0> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint8_t qs[64];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 66);

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    for (int i = 0; i < kValues; ++i) {
      const int code = (block.qs[32 * (i / 128) + i % 32] >> (2 * (i / 32 % 4))) & 3;
      out[i] = d * static_cast<float>(code - 1);
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    const Grid grid{-1, 1};
    const Group group{x, v, kValues};
    out = {};
    out.d = settle_half_scale(grid, group, fit_scale(grid, group, levels), levels);
    for (int i = 0; i < kValues; ++i) {
      const int code = static_cast<int>(levels[i]) + 1;
      out.qs[32 * (i / 128) + i % 32] |= static_cast<uint8_t>(code << (2 * (i / 32 % 4)));
    }
  }
};

}  // namespace smelt
