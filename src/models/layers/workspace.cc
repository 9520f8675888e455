#include "models/layers/workspace.h"

#include <algorithm>

#include "models/layers/taker.h"

namespace smelt {
namespace {

// The widest window decides; one layer without any sees all.
int64_t widest_window(const ModelConfig& c) {
  int64_t window = 0;
  for (const LayerConfig& layer : c.layers) {
    if (layer.window == 0) return 0;
    window = std::max(window, layer.window);
  }
  return window;
}

InnerBuffers take_inner(Taker& take, int64_t m, int64_t width) {
  return {.gate = take.floats(m * width), .up = take.floats(m * width), .quantized = take.quantized(m, width)};
}

MixtureBuffers take_mixture(Taker& take, const ModelConfig& c, int64_t m) {
  MixtureBuffers b;
  if (c.n_experts == 0) return b;
  b.scores = take.floats(m * c.n_experts);
  b.chosen = take.objects<int32_t>(m * c.n_experts_used);
  b.shares = take.floats(m * c.n_experts_used);
  b.rows = take.objects<int32_t>(m);
  b.row_shares = take.floats(m);
  b.gathered = take.floats(m * c.d_model);
  b.gathered_q = take.quantized(m, c.d_model);
  b.expert = take_inner(take, m, c.d_ff_expert);
  b.shared = take_inner(take, m, c.d_ff_shared);
  b.out = take.floats(m * c.d_model);
  return b;
}

}  // namespace

Workspace plan_workspace(const ModelConfig& c, float* base, const WorkspaceLimits& limits) {
  const auto& [m, capacity, n_threads] = limits;
  const int64_t d_q = c.n_heads * c.d_head;
  const int64_t d_kv = c.n_kv_heads * c.d_head;
  const int64_t d_ff = c.n_experts > 0 ? 0 : c.d_ff;  // of layers without experts
  const int64_t widest_input = std::max({c.d_model, d_q, d_ff, c.d_ff_expert, c.d_ff_shared});
  const int64_t angles = m * c.n_rope / 2;
  const int64_t local_angles = c.local_inv_freq.empty() ? 0 : angles;
  Taker take(base);
  Workspace w{};
  w.x = take.floats(m * c.d_model);
  w.h = take.floats(m * c.d_model);
  w.q = take.floats(m * d_q);
  w.k = take.floats(m * d_kv);
  w.v = take.floats(m * d_kv);
  w.mixed = take.floats(m * d_q);
  w.gate = take.floats(m * d_ff);
  w.up = take.floats(m * d_ff);
  w.hq = take.quantized(m, c.d_model);
  w.mixed_q = take.quantized(m, d_q);
  w.mixture = take_mixture(take, c, m);
  w.gate_q = take.quantized(m, d_ff);
  w.rope = {.cos = take.floats(angles), .sin = take.floats(angles)};
  w.local_rope = {.cos = take.floats(local_angles), .sin = take.floats(local_angles)};
  w.matmul = take.floats(matmul_scratch_floats(m, widest_input, n_threads));
  w.qmatmul = take.floats(qmatmul_scratch_floats(m, n_threads));
  const int64_t attention_floats = attention_scratch_floats({.n_heads = c.n_heads,
                                                             .n_kv_heads = c.n_kv_heads,
                                                             .d_head = c.d_head,
                                                             .n_tokens = m,
                                                             .capacity = capacity,
                                                             .window = c.encoder ? 0 : widest_window(c),
                                                             .n_threads = n_threads});
  w.attention = {take.floats(attention_floats), static_cast<size_t>(attention_floats)};
  // A row of the embedding in stock blocks, for each token: at most 4 bytes a value.
  w.stock_row = reinterpret_cast<std::byte*>(take.floats(m * c.d_model));
  w.places = take.objects<TokenPlace>(m);
  // One for each sequence, at most as many as tokens.
  w.slices = take.objects<AttentionSlice>(m);
  w.floats = take.used();
  return w;
}

}  // namespace smelt
