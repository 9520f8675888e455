// The exact kernel as templates over a vocabulary V (lanes_*.h): for each block of 32 inputs (or half of one), the sum
// of products as an integer, times the block's scale and the activations' scale, added in the order of k. The same for
// one token (codes stay in registers) and for several (unpacked once into a panel), so the result does not depend on m.
#pragma once

#include "kernels/qmatmul/codecs_vec.h"
#include "kernels/qmatmul/kernel.h"

namespace smelt {
namespace {

// Where the sum of integer products starts, for the whole block or for half h of it.
template <class V, bool kHalves, bool kMinima>
inline int32_t start_of(const ActivationBlock& x, int h) {
  return kMinima || V::kBias == 0 ? 0 : kHalves ? x.offset128_half[h] : x.offset128;
}

// What a block adds to the sum of one token. c: its 8 registers of codes; scale, minimum: two of each where kHalves.
template <class V, bool kHalves, bool kMinima>
inline typename V::Floats add_block(typename V::Floats sum, const typename V::Bytes* c, const typename V::Floats* scale,
                                    const typename V::Floats* minimum, const ActivationBlock& x) {
  for (int h = 0; h < (kHalves ? 2 : 1); ++h) {
    typename V::Ints products = V::set1_int(start_of<V, kHalves, kMinima>(x, h));
    const int first = kHalves ? 4 * h : 0;
    for (int j = first; j < (kHalves ? first + 4 : 8); ++j) {
      products = V::dot(products, c[j], V::broadcast4(x.q + 4 * j));
    }
    sum = V::fma(V::to_float(products), V::mul(scale[h], V::set1(x.scale)), sum);
    if (kMinima) sum = V::fma(minimum[h], V::set1(kHalves ? x.sum_half[h] : x.sum), sum);
  }
  return sum;
}

template <class V, class Codec>
struct BlockFactors {
  typename V::Floats scale[2], minimum[2];
  template <int s>
  void load(const Codec& codec) {
    constexpr int kPerBlock = Codec::kHalves ? 2 : 1;
    scale[0] = codec.template scale<kPerBlock * s>();
    if constexpr (Codec::kHalves) scale[1] = codec.template scale<2 * s + 1>();
    if constexpr (Codec::kMinima) minimum[0] = codec.template minimum<kPerBlock * s>();
    if constexpr (Codec::kMinima && Codec::kHalves) minimum[1] = codec.template minimum<2 * s + 1>();
  }
};

// Few tokens read weights at the speed of memory, and a group's planes are too short for the processor to notice them
// in time: while a group is computed, the next one is fetched.
template <class V>
struct FetchAhead {
  const std::byte* at;  // null: nothing
  int64_t step_bytes;   // as many as the current group is read in a step
  void step() {
    if (at == nullptr) return;
    for (int64_t i = 0; i < step_bytes; i += 64) V::prefetch(at + i);
    at += step_bytes;
  }
};

// What follows group g of the tile.
template <class V, class Codec>
FetchAhead<V> fetch_after(const QTile& tile, int64_t g) {
  return {g + 1 < tile.n_groups ? tile.groups[g + 1] : tile.ahead[0], tile.block_bytes / Codec::kSubs};
}

template <class V, class Codec>
void exact_one_token(const QTile& tile) {
  const int64_t blocks = tile.k / (32 * Codec::kSubs);
  for (int64_t g = 0; g < tile.n_groups; ++g) {
    Codec codec(tile.groups[g], blocks);
    FetchAhead<V> ahead = fetch_after<V, Codec>(tile, g);
    typename V::Floats sum = V::set1(tile.poison[0]);
    const ActivationBlock* x = tile.x;
    for (int64_t b = 0; b < blocks; ++b, x += Codec::kSubs, codec.step()) {
      unrolled<Codec::kSubs>([&]<int s>() {
        ahead.step();
        typename V::Bytes c[8];
        BlockFactors<V, Codec> factors;
        codec.template unpack<s>(c);
        factors.template load<s>(codec);
        sum = add_block<V, Codec::kHalves, Codec::kMinima>(sum, c, factors.scale, factors.minimum, x[s]);
      });
    }
    V::store_floats(tile.out + 16 * g, sum);
  }
}

// Unpacks group g of up to kChunkBlocks blocks of 32 from where the codec stands.
template <class V, class Codec>
void fill_exact_panel(Codec& codec, FetchAhead<V>& ahead, int64_t g, int64_t n_blocks, ExactPanel& panel) {
  constexpr int kPerBlock = Codec::kHalves ? 2 : 1;
  for (int64_t b = 0; b < n_blocks; b += Codec::kSubs, codec.step()) {
    unrolled<Codec::kSubs>([&]<int s>() {
      ahead.step();
      typename V::Bytes c[8];
      BlockFactors<V, Codec> factors;
      codec.template unpack<s>(c);
      factors.template load<s>(codec);
      for (int j = 0; j < 8; ++j) V::store(panel.codes[b + s][j][g], c[j]);
      for (int h = 0; h < kPerBlock; ++h) {
        V::store_floats(panel.scale[kPerBlock * (b + s) + h][g], factors.scale[h]);
        if (Codec::kMinima) V::store_floats(panel.minimum[kPerBlock * (b + s) + h][g], factors.minimum[h]);
      }
    });
  }
}

// sum + products of block h of one row group, as add_block has it. minimum: 16 values, read only where there are
// minima.
template <class V, bool kHalves, bool kMinima, int h>
inline typename V::Floats add_products(typename V::Floats sum, typename V::Ints products, typename V::Floats scale,
                                       const float* minimum, const ActivationBlock& x) {
  sum = V::fma(V::to_float(products), V::mul(scale, V::set1(x.scale)), sum);
  if constexpr (kMinima) sum = V::fma(V::load_floats(minimum), V::set1(kHalves ? x.sum_half[h] : x.sum), sum);
  return sum;
}

// G groups from group g on times T tokens of a panel, whose sums stay in registers; they are read from and written to
// out.
template <class V, bool kHalves, bool kMinima, int G, int T>
void multiply_exact(const ExactPanel& panel, int64_t n_blocks, const QTile& tile, int64_t g, const ActivationBlock* x,
                    float* out) {
  constexpr int kPerBlock = kHalves ? 2 : 1;
  const int64_t stride = tile.k / 32;
  typename V::Floats sums[G][T];
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < G; ++r) sums[r][t] = V::load_floats(out + t * tile.out_stride + 16 * r);
  }
  for (int64_t b = 0; b < n_blocks; ++b) {
    unrolled<kPerBlock>([&]<int h>() {
      typename V::Ints products[G][T];
      for (int t = 0; t < T; ++t) {
        for (int r = 0; r < G; ++r) products[r][t] = V::set1_int(start_of<V, kHalves, kMinima>(x[t * stride + b], h));
      }
#pragma GCC unroll 8
      for (int j = h * 4; j < (kHalves ? h * 4 + 4 : 8); ++j) {
        typename V::Bytes codes[G];
        for (int r = 0; r < G; ++r) codes[r] = V::in_register(V::load(panel.codes[b][j][g + r]));
        for (int t = 0; t < T; ++t) {
          const typename V::Bytes four = V::broadcast4(x[t * stride + b].q + 4 * j);
          for (int r = 0; r < G; ++r) products[r][t] = V::dot(products[r][t], codes[r], four);
        }
      }
      for (int r = 0; r < G; ++r) {
        const typename V::Floats scale = V::load_floats(panel.scale[kPerBlock * b + h][g + r]);
        const float* minimum = panel.minimum[kPerBlock * b + h][g + r];
        for (int t = 0; t < T; ++t) {
          const ActivationBlock& at = x[t * stride + b];
          sums[r][t] = add_products<V, kHalves, kMinima, h>(sums[r][t], products[r][t], scale, minimum, at);
        }
      }
    });
  }
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < G; ++r) V::store_floats(out + t * tile.out_stride + 16 * r, sums[r][t]);
  }
}

template <class V, bool kHalves, bool kMinima>
void multiply_all(const ExactPanel& panel, int64_t n_blocks, const QTile& tile, const ActivationBlock* x) {
  // One group at a time leaves registers for more tokens.
  constexpr int G = V::kTileGroups;
  constexpr int T = G == 1 ? 4 : V::kTileTokens;
  const int64_t stride = tile.k / 32;
  const auto tokens = [&]<int n>(int64_t g, int64_t t) {
    for (; t + n <= tile.m; t += n) {
      multiply_exact<V, kHalves, kMinima, G, n>(panel, n_blocks, tile, g, x + t * stride,
                                                tile.out + t * tile.out_stride + 16 * g);
    }
    return t;
  };
  for (int64_t g = 0; g < tile.n_groups; g += G) {
    int64_t t = tokens.template operator()<T>(g, 0);
    if constexpr (T > 2) t = tokens.template operator()<2>(g, t);
    tokens.template operator()<1>(g, t);
  }
}

template <class V, class Codec>
void exact_several_tokens(const QTile& tile) {
  const int64_t n_blocks = tile.k / 32;
  const int64_t blocks = n_blocks / Codec::kSubs;
  auto& panel = *static_cast<ExactPanel*>(tile.panel);
  // A last panel with fewer groups computes its first one again in the places of those missing, where tiles take
  // several.
  const auto codec_at = [&](int64_t g) { return Codec(tile.groups[g < tile.n_groups ? g : 0], blocks); };
  Codec codecs[kPanelGroups] = {codec_at(0), codec_at(1), codec_at(2), codec_at(3)};
  FetchAhead<V> ahead[kPanelGroups];
  for (int64_t g = 0; g < kPanelGroups; ++g) {
    ahead[g] = {g < tile.n_groups ? tile.ahead[g] : nullptr, tile.block_bytes / Codec::kSubs};
  }
  const int64_t n_groups = (tile.n_groups + V::kTileGroups - 1) / V::kTileGroups * V::kTileGroups;
  for (int64_t t = 0; t < tile.m; ++t) {
    for (int64_t g = 0; g < n_groups; ++g)
      V::store_floats(tile.out + t * tile.out_stride + 16 * g, V::set1(tile.poison[t]));
  }
  for (int64_t b = 0; b < n_blocks; b += kChunkBlocks) {
    const int64_t n = n_blocks - b < kChunkBlocks ? n_blocks - b : kChunkBlocks;
    for (int64_t g = 0; g < n_groups; ++g) fill_exact_panel<V>(codecs[g], ahead[g], g, n, panel);
    multiply_all<V, Codec::kHalves, Codec::kMinima>(panel, n, tile, tile.x + b);
  }
}

template <class V>
void exact_tile(const QTile& tile) {
  with_codec<V>(tile.dtype, [&]<class Codec>() {
    if (tile.m == 1)
      exact_one_token<V, Codec>(tile);
    else
      exact_several_tokens<V, Codec>(tile);
  });
}

}  // namespace
}  // namespace smelt
