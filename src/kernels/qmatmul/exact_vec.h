// The exact kernel as templates over a vocabulary V (lanes_*.h): for each block of 32 inputs (or half of one), the sum
// of products as an integer, times the block's scale and the activations' scale, added in the order of k. The same for
// a few tokens (a block's codes stay in registers) and for many (unpacked once into a panel), so the result does not
// depend on m.
#pragma once

#include <bit>
#include <limits>

#include "kernels/qmatmul/codecs_vec.h"
#include "kernels/qmatmul/kernel.h"

namespace smelt {
namespace {

// Where the sum of integer products starts, for the whole block or for half h of it: what the codes' offset adds, taken
// away. offset: a power of two up to 128, or 0.
template <class V, bool kHalves, int offset>
SMELT_INLINE inline typename V::Ints start_of(const ActivationBlock& x, int h) {
  if constexpr (offset == 0 || V::kBias == 0) {
    return V::set1_int(0);
  } else {
    constexpr int kShift = std::countr_zero(128U / static_cast<unsigned>(offset));
    const int32_t whole = kHalves ? x.offset128_half[h] : x.offset128;
    if constexpr (kShift > 0 && requires { V::template shift_right_int<kShift>(V::set1_int(whole)); })
      return V::template shift_right_int<kShift>(V::set1_int(whole));
    else
      return V::set1_int(whole >> kShift);
  }
}

// The activations' sum, of the whole block or of half h.
template <bool kHalves>
inline float sum_of(const ActivationBlock& x, int h) {
  return kHalves ? x.sum_half[h] : x.sum;
}

// Adds the products of part h of a block to the sum of one row group and token. half: the first half's products times
// its scale, kept until the second half comes. This, and the minima after it, is the arithmetic of all batch sizes.
template <class V, bool kHalves, int h>
SMELT_INLINE inline void add_products(typename V::Floats& sum, typename V::Floats& half, typename V::Ints products,
                                      typename V::Floats scale, const ActivationBlock& x) {
  const typename V::Floats values = V::to_float(products);
  if constexpr (kHalves && h == 0) {
    half = V::mul(values, scale);
  } else {
    const typename V::Floats all = kHalves ? V::fma(values, scale, half) : V::mul(values, scale);
    sum = V::fma(all, V::set1(x.scale), sum);
  }
}

// Adds the minimum of a block or of half h of it to the sums of T tokens.
template <class V, bool kHalves, int T>
SMELT_INLINE inline void add_minimum(typename V::Floats (&sums)[T], typename V::Floats minimum,
                                     const ActivationBlock* x, int h, int64_t stride) {
  for (int t = 0; t < T; ++t) sums[t] = V::fma(minimum, V::set1(sum_of<kHalves>(x[t * stride], h)), sums[t]);
}

// What a block adds to the sums of T tokens, whose blocks are `stride` apart. c: its 8 registers of codes; scale,
// minimum: two of each where kHalves. The tokens' chains of dot products go side by side: one alone waits for itself.
template <class V, bool kHalves, bool kMinima, int offset, int T>
SMELT_INLINE inline void add_block(typename V::Floats (&sums)[T], const typename V::Bytes* c,
                                   const typename V::Floats* scale, const typename V::Floats* minimum,
                                   const ActivationBlock* x, int64_t stride) {
  // Hidden, so that the compiler does not keep an address for each token and block, on the stack.
  asm("" : "+r"(stride));
  typename V::Floats halves[T];
  unrolled<kHalves ? 2 : 1>([&]<int h>() SMELT_INLINE {
    typename V::Ints products[T];
    for (int t = 0; t < T; ++t) products[t] = start_of<V, kHalves, offset>(x[t * stride], h);
#pragma GCC unroll 8
    for (int j = 4 * h; j < (kHalves ? 4 * h + 4 : 8); ++j) {
      for (int t = 0; t < T; ++t) products[t] = V::dot(products[t], c[j], V::broadcast4(x[t * stride].q + 4 * j));
    }
    for (int t = 0; t < T; ++t) add_products<V, kHalves, h>(sums[t], halves[t], products[t], scale[h], x[t * stride]);
  });
  for (int h = 0; kMinima && h < (kHalves ? 2 : 1); ++h) add_minimum<V, kHalves, T>(sums, minimum[h], x, h, stride);
}

template <class V, class Codec>
struct BlockFactors {
  typename V::Floats scale[2], minimum[2];
  template <int s>
  SMELT_INLINE void load(const Codec& codec) {
    constexpr int kPerBlock = Codec::kHalves ? 2 : 1;
    scale[0] = codec.template scale<kPerBlock * s>();
    if constexpr (Codec::kHalves) scale[1] = codec.template scale<2 * s + 1>();
    if constexpr (Codec::kMinima) minimum[0] = codec.template minimum<kPerBlock * s>();
    if constexpr (Codec::kMinima && Codec::kHalves) minimum[1] = codec.template minimum<2 * s + 1>();
  }
};

constexpr int kBatch = 8;  // tokens whose sums and products the registers hold beside a block's codes

// Few tokens read weights at the speed of memory, and a group's planes are too short for the processor to notice them
// in time: while a group is computed, a later one is fetched, in the order of memory.
template <class V, class Codec>
struct FetchAhead {
  const std::byte* at;  // null: nothing
  FetchInto into;
  // Step s of the kSubs of a block.
  template <int s>
  SMELT_INLINE void step() {
    asm volatile("" : : : "memory");  // so much code in one piece tempts the compiler to load too early
    if (at == nullptr) return;
    constexpr int kLines = (Codec::kBytes + 63) / 64;
    for (int i = s * kLines / Codec::kSubs; i < (s + 1) * kLines / Codec::kSubs; ++i) {
      if (into == FetchInto::past_larger_caches)
        V::prefetch_once(at + 64 * i);
      else if (into == FetchInto::second_cache)
        V::prefetch_second(at + 64 * i);
      else
        V::prefetch(at + 64 * i);
    }
    if constexpr (s == Codec::kSubs - 1) at += Codec::kBytes;
  }
};

// What to fetch while group g is computed: the next one, or where that is soon done, the one after it.
template <class Codec>
const std::byte* group_to_fetch(const QTile& tile, int64_t g) {
  constexpr int64_t kLeastDistance = 16384;
  const int64_t group_bytes = tile.k / (32 * Codec::kSubs) * Codec::kBytes;
  const bool is_far = tile.fetch == FetchInto::second_cache && group_bytes < kLeastDistance;
  const int64_t next = g + (is_far ? 2 : 1);
  if (next < tile.n_groups) return tile.groups[next];
  return next - tile.n_groups < tile.n_groups ? tile.ahead[next - tile.n_groups] : nullptr;
}

// T tokens of the tile from token `first` on. Codes stay in registers.
template <class V, class Codec, int T>
void exact_few_tokens(const QTile& tile, int64_t first) {
  const int64_t blocks = tile.k / (32 * Codec::kSubs);
  const int64_t stride = tile.x_stride;
  for (int64_t g = 0; g < tile.n_groups; ++g) {
    Codec codec(tile.groups[g], blocks);
    FetchAhead<V, Codec> ahead{group_to_fetch<Codec>(tile, g), tile.m <= kBatch ? tile.fetch : FetchInto::all_caches};
    typename V::Floats sums[T];
    for (int t = 0; t < T; ++t) sums[t] = V::set1(tile.poison[first + t]);
    const ActivationBlock* x = tile.x + first * stride;
    for (int64_t b = 0; b < blocks; ++b, x += Codec::kSubs, codec.step()) {
      unrolled<Codec::kSubs>([&]<int s>() SMELT_INLINE {
        ahead.template step<s>();
        typename V::Bytes c[8];
        BlockFactors<V, Codec> factors;
        codec.template unpack<s>(c);
        factors.template load<s>(codec);
        add_block<V, Codec::kHalves, Codec::kMinima, Codec::kOffset, T>(sums, c, factors.scale, factors.minimum, x + s,
                                                                        stride);
      });
    }
    for (int t = 0; t < T; ++t) V::store_floats(tile.out + (first + t) * tile.out_stride + 16 * g, sums[t]);
  }
}

// Unpacks group g of up to kChunkBlocks blocks of 32 from where the codec stands.
template <class V, class Codec>
void fill_exact_panel(Codec& codec, FetchAhead<V, Codec>& ahead, int64_t g, int64_t n_blocks, ExactPanel& panel) {
  constexpr int kPerBlock = Codec::kHalves ? 2 : 1;
  for (int64_t b = 0; b < n_blocks; b += Codec::kSubs, codec.step()) {
    unrolled<Codec::kSubs>([&]<int s>() SMELT_INLINE {
      ahead.template step<s>();
      typename V::Bytes c[8];
      BlockFactors<V, Codec> factors;
      codec.template unpack<s>(c);
      factors.template load<s>(codec);
      for (int j = 0; j < 8; ++j) V::store(panel.codes[b + s][j][g], panel_codes<V, Codec>(c[j]));
      for (int h = 0; h < kPerBlock; ++h) {
        V::store_floats(panel.scale[kPerBlock * (b + s) + h][g], factors.scale[h]);
        if (Codec::kMinima) V::store_floats(panel.minimum[kPerBlock * (b + s) + h][g], factors.minimum[h]);
      }
    });
  }
}

// G groups from group g on times T tokens of a panel, whose sums stay in registers; they are read from and written to
// out.
template <class V, bool kHalves, bool kMinima, int G, int T>
void multiply_exact(const ExactPanel& panel, int64_t n_blocks, const QTile& tile, int64_t g, const ActivationBlock* x,
                    float* out) {
  constexpr int kPerBlock = kHalves ? 2 : 1;
  constexpr int kOffset = kMinima ? 0 : 128;  // panel_codes
  const int64_t stride = tile.x_stride;
  typename V::Floats sums[G][T];
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < G; ++r) sums[r][t] = V::load_floats(out + t * tile.out_stride + 16 * r);
  }
  for (int64_t b = 0; b < n_blocks; ++b) {
    typename V::Floats halves[G][T];
    unrolled<kPerBlock>([&]<int h>() SMELT_INLINE {
      typename V::Ints products[G][T];
      for (int t = 0; t < T; ++t) {
        for (int r = 0; r < G; ++r) products[r][t] = start_of<V, kHalves, kOffset>(x[t * stride + b], h);
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
        for (int t = 0; t < T; ++t) {
          add_products<V, kHalves, h>(sums[r][t], halves[r][t], products[r][t], scale, x[t * stride + b]);
        }
      }
    });
    for (int h = 0; kMinima && h < kPerBlock; ++h) {
      for (int r = 0; r < G; ++r) {
        const auto minimum = V::load_floats(panel.minimum[kPerBlock * b + h][g + r]);
        add_minimum<V, kHalves, T>(sums[r], minimum, x + b, h, stride);
      }
    }
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
  const int64_t stride = tile.x_stride;
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
  FetchAhead<V, Codec> ahead[kPanelGroups] = {{tile.ahead[0], FetchInto::all_caches},
                                              {tile.ahead[1], FetchInto::all_caches},
                                              {tile.ahead[2], FetchInto::all_caches},
                                              {tile.ahead[3], FetchInto::all_caches}};
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

// All tokens in batches of 8 and the rest in one, each over all groups.
template <class V, class Codec>
void exact_in_batches(const QTile& tile) {
  int64_t t = 0;
  for (; t + kBatch <= tile.m; t += kBatch) exact_few_tokens<V, Codec, kBatch>(tile, t);
  unrolled<kBatch - 1>([&]<int n>() {
    if (tile.m - t == n + 1) exact_few_tokens<V, Codec, n + 1>(tile, t);
  });
}

template <class V>
void exact_tile(const QTile& tile) {
  with_codec<V>(tile.dtype, [&]<class Codec>() {
    // Codes that take long to unpack are worth a panel from the second batch on.
    constexpr int64_t kMostInBatches = Codec::kSubs == 1 ? std::numeric_limits<int64_t>::max() : kBatch;
    if constexpr (V::kManyRegisters) {
      if (tile.m <= kMostInBatches) return exact_in_batches<V, Codec>(tile);
    }
    if (tile.m == 1)
      exact_few_tokens<V, Codec, 1>(tile, 0);
    else
      exact_several_tokens<V, Codec>(tile);
  });
}

}  // namespace
}  // namespace smelt
