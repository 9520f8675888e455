// TQ1_0: 256 ternary values, w = d * (q - 1), q in [0, 2], five (or four) to a byte.
//
//   byte   0                 48     52  54
//          | qs              | qh   | d |       d: f16                  1.6875 bits a value
//
// A byte holds the digits of a number of base 3, the first value the most significant, as a fraction of 256 rounded up:
// digit n is 3 * (byte * 3^n mod 256) / 256. Bytes 0 … 31 of qs hold values l, 32 + l, … 128 + l; bytes 32 … 47 hold
// 160 + l, 176 + l, … 224 + l; the bytes of qh hold 240 + l, … 252 + l, and no fifth.
#pragma once

#include "tensor/blocks/block_format.h"
#include "tensor/quant_search.h"

namespace smelt {

template <>
struct BlockFormat<DType::tq1_0> {
  static constexpr int kValues = kSuperBlock;
  struct Block {
    uint8_t qs[48];
    uint8_t qh[4];
    uint16_t d;
  };
  static_assert(sizeof(Block) == 54);

  // `n` bytes of `digits` values each: value k * n + l is digit k of byte l.
  struct Part {
    int first, n, digits;  // the first value
  };
  static constexpr Part kParts[] = {{0, 32, 5}, {160, 16, 5}, {240, 4, 4}};

  static void decode_part(const uint8_t* bytes, Part part, float d, float* out) {
    uint8_t power = 1;
    for (int k = 0; k < part.digits; ++k, power = static_cast<uint8_t>(power * 3)) {
      for (int l = 0; l < part.n; ++l) {
        const auto fraction = static_cast<uint8_t>(bytes[l] * power);
        out[part.first + k * part.n + l] = d * static_cast<float>(((fraction * 3) >> 8) - 1);
      }
    }
  }

  static void decode(const Block& block, float* out) {
    const float d = f16_to_f32(block.d);
    decode_part(block.qs, kParts[0], d, out);
    decode_part(block.qs + 32, kParts[1], d, out);
    decode_part(block.qh, kParts[2], d, out);
  }

  static void encode_part(const float* levels, Part part, uint8_t* bytes) {
    for (int l = 0; l < part.n; ++l) {
      int number = 0;
      for (int k = 0; k < 5; ++k) {
        number = 3 * number + (k < part.digits ? static_cast<int>(levels[part.first + k * part.n + l]) + 1 : 0);
      }
      bytes[l] = static_cast<uint8_t>((number * 256 + 242) / 243);
    }
  }

  static void encode(const float* x, const float* v, Block& out) {
    float levels[kValues];
    const Grid grid{-1, 1};
    const Group group{x, v, kValues};
    out.d = settle_half_scale(grid, group, fit_scale(grid, group, levels), levels);
    encode_part(levels, kParts[0], out.qs);
    encode_part(levels, kParts[1], out.qs + 32);
    encode_part(levels, kParts[2], out.qh);
  }
};

}  // namespace smelt
