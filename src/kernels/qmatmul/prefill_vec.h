// The kernel for long prompts as templates over a vocabulary V (lanes_*.h). A chunk of 64 rows is brought to one form,
// int8 with a scale for 32 inputs, once, and multiplied with all tokens in tiles of 4 groups of rows times
// V::kTileTokens, whose sums stay in registers. The scale of weights and activations together is an addition to an
// exponent, so that each block costs one multiplication besides its dot products. Formats that are not of this form
// (minima, scales for 16) are requantized; the error is at most half of 1/127 of the block's greatest magnitude a
// weight. How a panel is multiplied is a template parameter: by dot products (DotTiles), or by an instruction set's
// products of matrices (matrix_*.h), which keep the codes in another order and give the same sums.
#pragma once

#include "kernels/qmatmul/codecs_vec.h"
#include "kernels/qmatmul/kernel.h"

namespace smelt {
namespace {

constexpr uint32_t kOneBits = 0x3f800000;  // 1.0F
constexpr float kLeastScale = 0x1p-60F;    // below it an exponent could wrap; products vanish in any sum

template <class V>
void store_scale(typename V::Floats scale, PrefillPanel& panel, int64_t b, int64_t g) {
  V::store_ints(panel.scale[b][g], V::add_int(V::float_bits(scale), V::set1_int(-static_cast<int32_t>(kOneBits))));
}

// The codec's block s as it is: its form is the panel's.
template <class V, class Tiles, class Codec, int s>
void copy_block(const Codec& codec, int64_t g, int64_t b, PrefillPanel& panel) {
  typename V::Bytes c[8];
  codec.template unpack<s>(c);
  for (int j = 0; j < 8; j += 2)
    Tiles::store_codes(panel, b, j, g, panel_codes<V, Codec>(c[j]), panel_codes<V, Codec>(c[j + 1]));
  store_scale<V>(V::at_least(codec.template scale<s>(), kLeastScale), panel, b, g);
}

// value = code * factor + offset, in units of the new scale
template <class V>
SMELT_INLINE inline typename V::Bytes requantize(typename V::Bytes codes, typename V::Floats factor,
                                                 typename V::Floats offset) {
  typename V::Ints out[4];
  unrolled<4>([&]<int i>() {
    const typename V::Floats code = V::to_float(V::template byte<i>(codes));
    out[i] = V::round_to_int(V::fma(code, factor, offset));
  });
  return V::join_bytes(out[0], out[1], out[2], out[3]);
}

template <class V, class Tiles, class Codec, int s>
void requantize_block(const Codec& codec, int64_t g, int64_t b, PrefillPanel& panel) {
  constexpr int kParts = Codec::kHalves ? 2 : 1;
  typename V::Floats factor[kParts], offset[kParts];
  typename V::Floats greatest = V::zero();
  unrolled<kParts>([&]<int h>() {
    factor[h] = codec.template scale<kParts * s + h>();
    if constexpr (Codec::kMinima) {
      offset[h] = codec.template minimum<kParts * s + h>();
      const typename V::Floats top = V::fma(factor[h], V::set1(Codec::kMaxCode), offset[h]);
      greatest = V::max(greatest, V::max(V::abs(offset[h]), V::abs(top)));
    } else {
      offset[h] = V::mul(factor[h], V::set1(V::kBias == 0 ? 0.0F : -static_cast<float>(Codec::kOffset)));
      greatest = V::max(greatest, V::abs(V::mul(factor[h], V::set1(Codec::kMaxCode))));
    }
  });
  const typename V::Floats scale = V::at_least(V::mul(greatest, V::set1(1.0F / 127.0F)), kLeastScale);
  typename V::Floats checked = scale;  // not finite if any factor is not
  for (int h = 0; h < kParts; ++h) checked = V::fma(V::fma(factor[h], V::zero(), offset[h]), V::zero(), checked);
  const typename V::Floats inverse = V::div(V::set1(1.0F), scale);
  for (typename V::Floats& each : factor) each = V::mul(each, inverse);
  for (typename V::Floats& each : offset) each = V::fma(each, inverse, V::set1(V::kBias));
  typename V::Bytes c[8];
  codec.template unpack<s>(c);
  for (int j = 0; j < 8; j += 2) {
    const int h = Codec::kHalves ? j / 4 : 0;
    Tiles::store_codes(panel, b, j, g, requantize<V>(c[j], factor[h], offset[h]),
                       requantize<V>(c[j + 1], factor[h], offset[h]));
  }
  store_scale<V>(checked, panel, b, g);
}

// Rows `g` of the panel from where the codec stands.
template <class V, class Tiles, class Codec>
void fill_prefill_panel(Codec& codec, int64_t g, int64_t n_blocks, PrefillPanel& panel) {
  for (int64_t b = 0; b < n_blocks; b += Codec::kSubs, codec.step()) {
    unrolled<Codec::kSubs>([&]<int s>() {
      if constexpr (Codec::kHalves || Codec::kMinima)
        requantize_block<V, Tiles, Codec, s>(codec, g, b + s, panel);
      else
        copy_block<V, Tiles, Codec, s>(codec, g, b + s, panel);
    });
  }
}

// R groups of rows from group `first` times T tokens; sums are read from and written to out.
template <class V, int R, int T>
void multiply_tile(const PrefillPanel& panel, int64_t first, int64_t n_blocks, const QTile& tile, int64_t token) {
  const int64_t stride = tile.x_stride;
  const ActivationBlock* x = tile.x + token * stride;
  float* out = tile.out + token * tile.out_stride + 16 * first;
  typename V::Floats sums[R][T];
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < R; ++r) sums[r][t] = V::load_floats(out + t * tile.out_stride + 16 * r);
  }
  for (int64_t b = 0; b < n_blocks; ++b) {
    typename V::Ints products[R][T];
    for (int t = 0; t < T; ++t) {
      for (int r = 0; r < R; ++r) products[r][t] = V::set1_int(V::kBias == 0 ? 0 : x[t * stride + b].offset128);
    }
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      typename V::Bytes codes[R];
      for (int r = 0; r < R; ++r) codes[r] = V::in_register(V::load(panel.codes[b][j][first + r]));
      for (int t = 0; t < T; ++t) {
        const typename V::Bytes four = V::broadcast4(x[t * stride + b].q + 4 * j);
        for (int r = 0; r < R; ++r) products[r][t] = V::dot(products[r][t], codes[r], four);
      }
    }
    for (int r = 0; r < R; ++r) {
      const typename V::Ints scale = V::load_ints(panel.scale[b][first + r]);
      for (int t = 0; t < T; ++t) {
        const typename V::Floats both = V::from_bits(V::add_int(scale, V::broadcast_int(&x[t * stride + b].scale)));
        sums[r][t] = V::fma(V::to_float(products[r][t]), both, sums[r][t]);
      }
    }
  }
  for (int t = 0; t < T; ++t) {
    for (int r = 0; r < R; ++r) V::store_floats(out + t * tile.out_stride + 16 * r, sums[r][t]);
  }
}

// By V's dot product.
template <class V>
struct DotTiles {
  // Codes of the four inputs from 4 j on, and of the four after them, of the 16 rows of group g. j is even.
  SMELT_INLINE static void store_codes(PrefillPanel& panel, int64_t b, int64_t j, int64_t g, typename V::Bytes four,
                                       typename V::Bytes next) {
    V::store(panel.codes[b][j][g], four);
    V::store(panel.codes[b][j + 1][g], next);
  }

  // The panel's blocks times all tokens, whose blocks begin with first_block; added to what is in tile.out.
  static void multiply(const PrefillPanel& panel, int64_t n_blocks, const QTile& tile, int64_t first_block) {
    constexpr int R = V::kTileGroups;
    constexpr int T = V::kTileTokens;
    static_assert(kPanelGroups % R == 0);
    QTile at = tile;
    at.x += first_block;
    for (int64_t r = 0; r < kPanelGroups; r += R) {
      int64_t t = 0;
      for (; t + T <= tile.m; t += T) multiply_tile<V, R, T>(panel, r, n_blocks, at, t);
      for (; t < tile.m; ++t) multiply_tile<V, R, 1>(panel, r, n_blocks, at, t);
    }
  }
};

// A scale that is not finite would be lost in the exponent arithmetic: it makes its rows not-a-number instead.
template <class V>
void poison_rows(const PrefillPanel* panels, int64_t n_blocks, const QTile& tile) {
  for (int64_t g = 0; g < tile.n_groups; ++g) {
    typename V::Floats poison = V::zero();
    for (int64_t b = 0; b < n_blocks; ++b) {
      const typename V::Ints bits =
          V::add_int(V::load_ints(panels[g / kPanelGroups].scale[b][g % kPanelGroups]), V::set1_int(kOneBits));
      poison = V::fma(V::from_bits(bits), V::zero(), poison);
    }
    if (V::all_zero(poison)) continue;
    for (int64_t t = 0; t < tile.m; ++t) {
      float* out = tile.out + t * tile.out_stride + 16 * g;
      V::store_floats(out, V::fma(poison, V::set1(1.0F), V::load_floats(out)));
    }
  }
}

inline int64_t n_panels_of(const QTile& tile) { return (tile.n_groups + kPanelGroups - 1) / kPanelGroups; }

// A chunk of all panels, whose blocks begin with first_block, times all tokens: a few tokens at a time with each panel,
// so that their blocks come once from the larger caches.
template <class Tiles>
void multiply_panels(const PrefillPanel* panels, int64_t n_blocks, const QTile& tile, int64_t first_block) {
  constexpr int64_t kTokensAtOnce = 48;  // whose chunk and a panel fill the first cache; whole tiles of 3 and of 4
  QTile few = tile;
  for (int64_t t = 0; t < tile.m; t += kTokensAtOnce) {
    few.x = tile.x + t * tile.x_stride;
    few.m = tile.m - t < kTokensAtOnce ? tile.m - t : kTokensAtOnce;
    for (int64_t p = 0; p < n_panels_of(tile); ++p) {
      few.out = tile.out + t * tile.out_stride + kPanelRows * p;
      Tiles::multiply(panels[p], n_blocks, few, first_block);
    }
  }
}

template <class V, class Tiles, class Codec, int... g>
void prefill_groups(const QTile& tile, std::integer_sequence<int, g...>) {
  const int64_t n_blocks = tile.k / 32;
  const int64_t n_panels = n_panels_of(tile);
  const int64_t blocks = n_blocks / Codec::kSubs;
  // Where each group's codec stands after the chunks so far. A last panel with fewer groups computes the first one
  // again in the places of those missing.
  Codec codecs[] = {Codec(tile.groups[g < tile.n_groups ? g : 0], blocks)...};
  auto* panels = static_cast<PrefillPanel*>(tile.panel);
  for (int64_t t = 0; t < tile.m; ++t) {
    for (int64_t i = 0; i < n_panels * kPanelGroups; ++i)
      V::store_floats(tile.out + t * tile.out_stride + 16 * i, V::set1(tile.poison[t]));
  }
  for (int64_t b = 0; b < n_blocks; b += kChunkBlocks) {
    const int64_t n = n_blocks - b < kChunkBlocks ? n_blocks - b : kChunkBlocks;
    for (int64_t i = 0; i < n_panels * kPanelGroups; ++i)
      fill_prefill_panel<V, Tiles>(codecs[i], i % kPanelGroups, n, panels[i / kPanelGroups]);
    if constexpr (requires { &Tiles::multiply_panels; })
      Tiles::multiply_panels(panels, n, tile, b);
    else
      multiply_panels<Tiles>(panels, n, tile, b);
    poison_rows<V>(panels, n, tile);
  }
}

template <class V, class Tiles = DotTiles<V>>
void prefill_tile(const QTile& tile) {
  with_codec<V>(tile.dtype, [&]<class Codec>() {
    prefill_groups<V, Tiles, Codec>(tile, std::make_integer_sequence<int, kTileGroups>{});
  });
}

}  // namespace
}  // namespace smelt
