// What one instruction set provides for attention. Seen by attention.cc and the files per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"
#include "tensor/dtype.h"

namespace smelt {

// The keys (or values) of one head in the cache: n rows of d_head values of `dtype`, row_bytes apart.
struct CacheRows {
  const std::byte* rows;
  int64_t row_bytes;
  int64_t n;
  int64_t d_head;
  DType dtype;
};

struct AttentionKernel {
  Isa isa;
  // scores[j] = scale * q . k_j
  void (*scores)(const float* q, const CacheRows& keys, float scale, float* scores);
  // out = sum_j p[j] v_j, in the order of j
  void (*mix)(const float* p, const CacheRows& values, float* out);
  // Rounds n values to f16, to nearest even.
  void (*store_f16)(const float* in, int64_t n, std::byte* out);
};

#define SMELT_KERNEL(isa) extern const AttentionKernel attention_##isa;
#include "kernels/attention/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
