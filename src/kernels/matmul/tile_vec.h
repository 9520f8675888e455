// The matmul tile as a template over a vector vocabulary V (kernels/vec_x86_*.h), for the files per instruction set.
// R weight rows times T tokens are kept in R * T accumulator registers: each loaded weight serves T tokens and each
// loaded activation R rows. Every dot product has one accumulator of V::kLanes partial sums, filled in the order of k,
// so its value does not depend on which R x T tile computed it.
#pragma once

#include "kernels/matmul/kernel.h"

namespace smelt {
namespace {

template <class V>
struct WeightsF32 {
  static constexpr int64_t kBytes = 4;
  static typename V::F load(const std::byte* p) { return V::load(p); }
  static typename V::F load_n(const std::byte* p, int64_t n) { return V::load_n(p, n); }
};
template <class V>
struct WeightsF16 {
  static constexpr int64_t kBytes = 2;
  static typename V::F load(const std::byte* p) { return V::load_f16(p); }
  static typename V::F load_n(const std::byte* p, int64_t n) { return V::load_f16_n(p, n); }
};
template <class V>
struct WeightsBf16 {
  static constexpr int64_t kBytes = 2;
  static typename V::F load(const std::byte* p) { return V::load_bf16(p); }
  static typename V::F load_n(const std::byte* p, int64_t n) { return V::load_bf16_n(p, n); }
};

template <class V, class W, int R, int T>
void dot_block(const MatmulTile& tile, int64_t r0, int64_t t0) {
  typename V::F sums[R][T];
  for (int r = 0; r < R; ++r) {
    for (int t = 0; t < T; ++t) sums[r][t] = V::zero();
  }
  const float* x = tile.x + t0 * tile.k;
  const std::byte* w = tile.w + r0 * tile.w_row_bytes;
  int64_t i = 0;
  for (; i + V::kLanes <= tile.k; i += V::kLanes) {
    typename V::F activations[T];
    for (int t = 0; t < T; ++t) activations[t] = V::load(x + t * tile.k + i);
    for (int r = 0; r < R; ++r) {
      const typename V::F weights = W::load(w + r * tile.w_row_bytes + i * W::kBytes);
      for (int t = 0; t < T; ++t) sums[r][t] = V::fma(activations[t], weights, sums[r][t]);
    }
  }
  if (const int64_t rest = tile.k - i; rest > 0) {
    for (int r = 0; r < R; ++r) {
      const typename V::F weights = W::load_n(w + r * tile.w_row_bytes + i * W::kBytes, rest);
      for (int t = 0; t < T; ++t) sums[r][t] = V::fma(V::load_n(x + t * tile.k + i, rest), weights, sums[r][t]);
    }
  }
  for (int r = 0; r < R; ++r) {
    const float bias = tile.bias == nullptr ? 0.0F : tile.bias[r0 + r];
    for (int t = 0; t < T; ++t) tile.out[(t0 + t) * tile.out_stride + r0 + r] = bias + V::sum(sums[r][t]);
  }
}

template <class V, class W, int R, int T>
void dot_rows(const MatmulTile& tile, int64_t t0) {
  int64_t r = 0;
  for (; r + R <= tile.rows; r += R) dot_block<V, W, R, T>(tile, r, t0);
  for (; r < tile.rows; ++r) dot_block<V, W, 1, T>(tile, r, t0);
}

template <class V, class W>
void dot_all(const MatmulTile& tile) {
  int64_t t = 0;
  for (; t + 3 <= tile.m; t += 3) dot_rows<V, W, V::kTileRows, 3>(tile, t);
  if (tile.m - t == 2) dot_rows<V, W, V::kTileRows, 2>(tile, t);
  if (tile.m - t == 1) dot_rows<V, W, 8, 1>(tile, t);
}

template <class V>
void run_tile(const MatmulTile& tile) {
  if (tile.type == DType::f32) return dot_all<V, WeightsF32<V>>(tile);
  if (tile.type == DType::f16) return dot_all<V, WeightsF16<V>>(tile);
  dot_all<V, WeightsBf16<V>>(tile);
}

}  // namespace
}  // namespace smelt
