// What one instruction set provides for attention. Seen by attention.cc, kv_cache.cc and the files per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

// Before a row has seen any key: below every score, but its difference to one is finite.
inline constexpr float kNoScore = -1e30F;

// Queries of one KV head's group, [token][head of the group], brought into the form that a fold takes.
struct QueryRows {
  const float* q;     // the first head of the group, of the first token
  int64_t stride;     // floats from token to token
  int64_t n, group;   // rows; heads of the group
  int64_t d_head, d;  // d: d_head rounded up to 16, filled with zeros
  float scale;        // times log2(e): scores are exponents of 2
  std::byte* out;     // n * d floats of room
};

// One block of one KV head against n rows.
struct BlockFold {
  const std::byte* block;
  const std::byte* next;  // the block that is probably folded next, to be fetched meanwhile; or this one
  const std::byte* q;     // as prepared
  int64_t n, group, d;
  int64_t position;        // of the token of row 0; row r is of token r / group
  int64_t block_position;  // of the block's first key
  int64_t window;          // 0: none
  int64_t ahead;           // keys after its own that a token sees
  int64_t n_keys;          // of the sequence
  float cap;               // of scores, times log2(e); 0: none
  float *max, *sum;        // [n]: running maximum of the exponents, sum of the weights
  float* acc;              // [n][d]: weighted sum of the values
  std::byte* scratch;      // 64 * d floats of room
};

// Prepared queries of q8: [n][d] of 8 bits, then n scales, then n times 128 times the sum of a row: keys are stored
// with 128 added.
struct QuantizedQueries {
  int8_t* values;
  float* scales;
  int32_t* offsets;
};

struct FoldKernel {
  void (*prepare)(const QueryRows&);
  // max, sum and acc as if the block's visible keys had been there all along. What becomes of a row does not depend on
  // the rows beside it.
  void (*fold)(const BlockFold&);
};

struct AttentionKernel {
  Isa isa;
  FoldKernel f32, f16;
  FoldKernel f16_prefill;  // for many rows; may round to bf16
  FoldKernel q8;           // takes QuantizedQueries
  // Rounds n values to f16, to nearest even.
  void (*to_f16)(const float* in, int64_t n, std::byte* out);
  // A key or value for q8: d_head values times the Hadamard matrix, rounded to 8 bits, zeros up to d; returns the
  // scale, which is not a number if one of them is not finite.
  float (*quantize)(const float* in, int64_t d_head, int64_t d, int8_t* out);
  // Multiplies d_head values by the Hadamard matrix, in place; there is room for d. It is its own inverse.
  void (*rotate)(float* x, int64_t d_head, int64_t d);
};

#define SMELT_KERNEL(isa) extern const AttentionKernel attention_##isa;
#include "kernels/attention/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
