// What one instruction set provides for matmul: the inner product of a tile, and faster decoders of some formats. Seen
// by matmul.cc and the files per instruction set only. Plain data and pointers: nothing here may be an inline function,
// as it would be compiled with each file's own flags.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "tensor/dtype.h"

namespace smelt {

// out[t * out_stride + r] = bias[r] + sum_k x[t][k] * w[r][k] for t < m, r < rows.
// The order of summation is the same for every t and r, whatever m and rows are.
struct MatmulTile {
  const float* x;  // [m][k]
  int64_t m;
  int64_t k;
  const std::byte* w;  // rows of `type`, unaligned
  int64_t w_row_bytes;
  DType type;  // f32, f16 or bf16
  int64_t rows;
  const float* bias;  // [rows] or null
  float* out;
  int64_t out_stride;
};

// The same with both sides in bf16.
struct Bf16Tile {
  const uint16_t* x;  // [m][k]
  int64_t m;
  int64_t k;
  const std::byte* w;  // rows of bf16, unaligned
  int64_t w_row_bytes;
  int64_t rows;
  const float* bias;  // [rows] or null
  float* out;
  int64_t out_stride;
};

struct MatmulKernel {
  Isa isa;
  void (*tile)(const MatmulTile& tile);
  DecodeRow (*find_decoder)(DType dtype);  // null where the portable decoder is to be used
  // Null where the instruction set has no products of bf16.
  void (*bf16_tile)(const Bf16Tile& tile) = nullptr;
  void (*round_to_bf16)(const float* in, int64_t n, uint16_t* out) = nullptr;  // to nearest even
};

#define SMELT_KERNEL(isa) extern const MatmulKernel matmul_##isa;
#include "kernels/matmul/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
