// Causal attention of m new tokens over a KV cache, grouped-query (Ainslie et al., arXiv 2305.13245).
// out_i = sum_j softmax_j(scale * q_i . k_j) v_j over the keys j = 0 … position + i. Accumulation in f32, in the order
// of j; a token's result does not depend on m or the thread count.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "tensor/dtype.h"

namespace smelt {

// The cache of one layer: k and v are [capacity][n_kv_heads][d_head], f16 or f32, row stride n_kv_heads * d_head
// values.
struct KvLayer {
  std::byte* k = nullptr;
  std::byte* v = nullptr;
  DType dtype = DType::f32;
};

struct AttentionArgs {
  const float* q = nullptr;  // [m][n_heads][d_head], already rotated
  int64_t m = 0;
  int64_t position = 0;  // of the first new token; keys 0 … position + i are seen by token i
  int64_t n_heads = 0, n_kv_heads = 0, d_head = 0;
  KvLayer kv;            // already holds the new tokens' keys and values
  float scale = 0;       // usually 1/sqrt(d_head)
  float* out = nullptr;  // [m][n_heads][d_head]
};

// scratch: attention_scratch_floats(capacity, d_head, threads) floats.
void attention_into(const AttentionArgs& args, float* scratch, ThreadPool& threads, Isa isa = chosen_isa());
int64_t attention_scratch_floats(int64_t capacity, int64_t d_head, int n_threads);

// Keys or values of new tokens.
struct KvRows {
  const float* values = nullptr;  // [m][n], n = n_kv_heads * d_head
  int64_t m = 0, n = 0;
  int64_t position = 0;  // the cache's row that receives the first of them
};

// Writes the rows into one half (k or v) of a layer's cache, converting to its dtype.
void store_kv(const KvRows& rows, DType dtype, std::byte* cache, Isa isa = chosen_isa());

}  // namespace smelt
