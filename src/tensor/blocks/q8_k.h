// Q8_K: 256 values, w = d * q, q in [-127, 127]; for activations, so that a dot product with a k-quant is integer
// arithmetic.
//
//   byte   0         4                         260                292
//          | d       | q0 q1 ... q255          | b0 b1 ... b15     |   d: f32, q: int8, b: int16     9.125 bits a value
//
// b_g is the sum of the codes of values 16g .. 16g+15; it multiplies the minima of the other operand's groups.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::q8_k> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    float d;
    int8_t qs[256];
    int16_t sums[16];
  };
  static_assert(sizeof(Block) == 292);

  static void decode(const Block& block, float* out) {
    for (int j = 0; j < kValues; ++j) out[j] = block.d * static_cast<float>(block.qs[j]);
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    out.d = fit_scale({-127, 127}, {x, v, kValues}, levels);
    round_to_grid({-127, 127}, {x, v, kValues}, out.d, levels);
    for (int j = 0; j < kValues; ++j) out.qs[j] = static_cast<int8_t>(levels[j]);
    for (int g = 0; g < 16; ++g) {
      int sum = 0;
      for (int j = 0; j < 16; ++j) sum += out.qs[16 * g + j];
      out.sums[g] = static_cast<int16_t>(sum);
    }
  }
};

}  // namespace smelt
