// A quantized block taken apart: its levels, and the codes that choose among them, so that codes can be decided one by
// one while the scales stay as an encoder found them. Called by compress/'s second-order rounding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "tensor/dtype.h"

namespace smelt {

// What codes of the values of one block stand for: value i is origin[i] + step[i] * level, where level is the code, or
// the code's entry of kNonLinearLevels.
struct BlockLevels {
  float origin[256];
  float step[256];  // 0: all codes of this value mean the same
};

struct BlockCodec {
  DType dtype;
  int n_values;  // in a block
  int n_codes;
  bool non_linear;
  // Replaces all codes of a block, n_values of them, and leaves its scales.
  void (*put_codes)(const uint8_t* codes, std::byte* block);

  // The levels of a block, from what it decodes to.
  void levels_into(const std::byte* block, BlockLevels& out) const;
  // The code nearest to x for value i; out becomes what it stands for.
  uint8_t nearest(const BlockLevels& levels, int i, float x, float& out) const;
};

// Nothing for types that are not taken apart: plain ones, ternary ones, Q8_K.
const BlockCodec* find_block_codec(DType dtype);

}  // namespace smelt
