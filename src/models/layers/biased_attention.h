// Attention with a bias for each distance and without scaling of the products, as T5 has it (Raffel et al., arXiv
// 1910.10683, section 2.1), over keys and values in f32. Called by layers/t5.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace smelt {

// Biases by distance: those beyond kMaxBiasDistance are that of kMaxBiasDistance.
inline constexpr int64_t kMaxBiasDistance = 128;

// [n_heads][2 * kMaxBiasDistance + 1], of keys from kMaxBiasDistance before the query to as many behind it, from the
// learned table [n_buckets][n_heads]. Both directions have half of the buckets each; else those behind are never read.
std::vector<float> make_distance_biases(const std::vector<float>& table, int64_t n_buckets, int64_t n_heads,
                                        bool both_directions);

struct BiasedAttention {
  const float* q = nullptr;  // [m][n_heads][d_head]
  // [n_heads][capacity][d_head], of which each query sees n_keys, or, if is_causal, those up to its own position.
  const float *k = nullptr, *v = nullptr;
  int64_t m = 0, n_heads = 0, d_head = 0, capacity = 0, n_keys = 0;
  int64_t position = 0;  // of the first query
  bool is_causal = false;
  const float* biases = nullptr;  // make_distance_biases; null: none
  float* out = nullptr;           // [m][n_heads][d_head]
};
// scores: capacity floats for each thread. A query's result depends on what it sees only.
void biased_attention_into(const BiasedAttention& attention, float* scores, ThreadPool& threads);

}  // namespace smelt
