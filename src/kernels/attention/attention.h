// Attention of new tokens over a KV cache, grouped-query (Ainslie et al., arXiv 2305.13245), with an optional
// sliding window (Beltagy et al., arXiv 2004.05150); causal, or with keys ahead, as encoders have it. Called by the
// model families' forward. With p = position + i and n keys, the slice's own included:
//   out_i = sum_j softmax_j(cap(scale * q_i . k_j)) v_j over keys j = max(0, p - window + 1) … min(n - 1, p + ahead)
//
// Keys are taken in blocks of 64 with a running maximum and sum (Milakov & Gimelshein, arXiv 1805.02867; Dao et al.,
// arXiv 2205.14135), all query heads of a group against one reading of the cache. Two ways:
//   - slices of at most kFewAttentionTokens tokens, and any slice over an f32 cache: keys are split in chunks of 512
//   counted from
//     position 0; chunks are folded by any thread and merged in their order. A token's result depends on its own query
//     and the cache only, bit for bit: not on the thread count, nor on the tokens and sequences beside it.
//   - longer slices: tiles of queries against all their keys, for f16 caches in bf16 products (8 bits of mantissa,
//     accumulated in f32) where the instruction set has them. Bit-identical across thread counts.
#pragma once

#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/attention/kv_cache.h"
#include "kernels/isa.h"

namespace smelt {

inline constexpr int64_t kFewAttentionTokens = 16;
inline constexpr int64_t kAllAhead = int64_t{1} << 40;  // a token sees all keys after its own

// The new tokens of one sequence.
struct AttentionSlice {
  const float* q = nullptr;  // [m] rows of [n_heads][d_head], already rotated
  int64_t m = 0;
  int64_t position = 0;  // of the first new token
  KvLayer kv;            // already holds the new tokens' keys and values
  float* out = nullptr;  // [m] rows of [n_heads][d_head]
};

struct AttentionArgs {
  std::span<const AttentionSlice> slices;
  int64_t q_stride = 0, out_stride = 0;  // floats from one token's row to the next
  int64_t n_heads = 0, n_kv_heads = 0, d_head = 0;
  int64_t window = 0;  // keys up to its own that a token sees, itself included; 0: all
  int64_t ahead = 0;   // keys after its own that a token sees, up to the slice's last: 0 … kAllAhead
  float scale = 0;     // usually 1/sqrt(d_head)
  float cap = 0;       // scores become cap * tanh(score / cap); 0: they stay
};

// What scratch must be planned for. Fewer tokens, shorter sequences and more slices fit as well.
struct AttentionLimits {
  int64_t n_heads = 0, n_kv_heads = 0, d_head = 0;
  int64_t n_tokens = 0;  // of all slices together
  int64_t capacity = 0;  // keys of the longest sequence, new ones included
  int64_t window = 0;
  int64_t ahead = 0;
  int n_threads = 1;
};
int64_t attention_scratch_floats(const AttentionLimits& limits);

// Slices are independent of each other. scratch: at least attention_scratch_floats.
void attention_into(const AttentionArgs& args, std::span<float> scratch, ThreadPool& threads, Isa isa = chosen_isa());

}  // namespace smelt
