// The matmul tile in bf16 products, for long prompts over bf16 weights, as a template over a vocabulary P that
// multiplies pairs of bf16 and adds both products to an f32 lane. Weights are read in place; activations are rounded to
// bf16 before.
#pragma once

#include "kernels/matmul/kernel.h"

namespace smelt {
namespace {

template <class P, int R, int T>
void bf16_block(const Bf16Tile& tile, int64_t r0, int64_t t0) {
  typename P::Sums sums[R][T];
  for (auto& row : sums) {
    for (auto& sum : row) sum = P::zero();
  }
  const uint16_t* x = tile.x + t0 * tile.k;
  const std::byte* w = tile.w + r0 * tile.w_row_bytes;
  for (int64_t i = 0; i < tile.k; i += P::kValues) {
    const int64_t n = tile.k - i < P::kValues ? tile.k - i : P::kValues;
    typename P::Pairs activations[T];
    for (int t = 0; t < T; ++t) activations[t] = P::load(x + t * tile.k + i, n);
    for (int r = 0; r < R; ++r) {
      const typename P::Pairs weights = P::load(w + r * tile.w_row_bytes + 2 * i, n);
      for (int t = 0; t < T; ++t) sums[r][t] = P::add_products(sums[r][t], weights, activations[t]);
    }
  }
  for (int r = 0; r < R; ++r) {
    const float bias = tile.bias == nullptr ? 0.0F : tile.bias[r0 + r];
    for (int t = 0; t < T; ++t) tile.out[(t0 + t) * tile.out_stride + r0 + r] = bias + P::sum(sums[r][t]);
  }
}

template <class P, int T>
void bf16_rows(const Bf16Tile& tile, int64_t t0) {
  int64_t r = 0;
  for (; r + P::kTileRows <= tile.rows; r += P::kTileRows) bf16_block<P, P::kTileRows, T>(tile, r, t0);
  for (; r < tile.rows; ++r) bf16_block<P, 1, T>(tile, r, t0);
}

template <class P>
void run_bf16_tile(const Bf16Tile& tile) {
  int64_t t = 0;
  for (; t + 3 <= tile.m; t += 3) bf16_rows<P, 3>(tile, t);
  for (; t < tile.m; ++t) bf16_rows<P, 1>(tile, t);
}

}  // namespace
}  // namespace smelt
