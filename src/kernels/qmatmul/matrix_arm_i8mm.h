// The panel of the prefill kernel times tokens by SMMLA, the product of two rows of 8 inputs with two columns of 8: a
// register of products is 2 rows of weights by 2 tokens. A panel's pair of registers, 16 rows of 8 inputs, is kept as
// 8 registers of 2 rows each; codes are signed. The sums, and the order in which they are added, are those of DotTiles.
// Included by x_arm_i8mm files; everything is in an unnamed namespace on purpose: see vec_x86_avx2.h.
#pragma once

#include <arm_neon.h>

#include <cstdint>
#include <cstring>

#include "kernels/qmatmul/codecs_vec.h"
#include "kernels/qmatmul/kernel.h"
#include "kernels/qmatmul/lanes_arm_neon.h"

namespace smelt {
namespace {

// Half a group of 16 rows by 4 tokens: 8 sums as ints and 8 as floats. With 6 tokens g++ 12 keeps some on the stack.
constexpr int kRowPairs = 4, kTokenPairs = 2;

// What a tile multiplies: half a group of the panel with pairs of tokens, the second of which may be the first again.
struct PairTile {
  const PrefillPanel& panel;
  int64_t n_blocks;
  int64_t group, half;
  const ActivationBlock* x[2 * kTokenPairs];
  float* out[2 * kTokenPairs];
};

// Sums of four rows and two tokens as they lie in memory, and as pairs by pairs.
template <int P>
void load_sums(const PairTile& tile, float32x4_t (&sums)[kRowPairs][P]) {
  for (int p = 0; p < P; ++p) {
    for (int r = 0; r < kRowPairs; r += 2) {
      const auto first = read_as<float32x4_t>(tile.out[2 * p] + 2 * r);
      const auto second = read_as<float32x4_t>(tile.out[2 * p + 1] + 2 * r);
      sums[r][p] = vzip1q_f32(first, second);
      sums[r + 1][p] = vzip2q_f32(first, second);
    }
  }
}
template <int P>
void store_sums(const PairTile& tile, const float32x4_t (&sums)[kRowPairs][P]) {
  for (int p = 0; p < P; ++p) {
    for (int r = 0; r < kRowPairs; r += 2) {
      const float32x4_t first = vuzp1q_f32(sums[r][p], sums[r + 1][p]);
      const float32x4_t second = vuzp2q_f32(sums[r][p], sums[r + 1][p]);
      std::memcpy(tile.out[2 * p] + 2 * r, &first, sizeof(first));
      std::memcpy(tile.out[2 * p + 1] + 2 * r, &second, sizeof(second));
    }
  }
}

// A value of each of two tokens, twice.
template <class T>
inline int32x4_t of_two_tokens(const T* first, const T* second) {
  return vreinterpretq_s32_u64(
      vdupq_n_u64(read_as<uint32_t>(first) | static_cast<uint64_t>(read_as<uint32_t>(second)) << 32));
}

template <int P>
void multiply_pairs(const PairTile& tile) {
  float32x4_t sums[kRowPairs][P];
  load_sums<P>(tile, sums);
  for (int64_t b = 0; b < tile.n_blocks; ++b) {
    int32x4_t products[kRowPairs][P] = {};
#pragma GCC unroll 4
    for (int eight = 0; eight < 4; ++eight) {
      const uint8_t* codes = tile.panel.codes[b][2 * eight + tile.half][tile.group];
      int8x16_t rows[kRowPairs];
      for (int r = 0; r < kRowPairs; ++r) rows[r] = read_as<int8x16_t>(codes + 16 * r);
      for (int p = 0; p < P; ++p) {
        const int8x16_t tokens = vcombine_s8(read_as<int8x8_t>(tile.x[2 * p][b].q + 8 * eight),
                                             read_as<int8x8_t>(tile.x[2 * p + 1][b].q + 8 * eight));
        for (int r = 0; r < kRowPairs; ++r) products[r][p] = vmmlaq_s32(products[r][p], rows[r], tokens);
      }
    }
    int32x4_t scales[kRowPairs];
    for (int r = 0; r < kRowPairs; r += 2) {
      const auto four = read_as<int32x4_t>(tile.panel.scale[b][tile.group] + 8 * tile.half + 2 * r);
      scales[r] = vzip1q_s32(four, four);
      scales[r + 1] = vzip2q_s32(four, four);
    }
    for (int p = 0; p < P; ++p) {
      const int32x4_t token_scales = of_two_tokens(&tile.x[2 * p][b].scale, &tile.x[2 * p + 1][b].scale);
      for (int r = 0; r < kRowPairs; ++r) {
        const float32x4_t both = vreinterpretq_f32_s32(vaddq_s32(scales[r], token_scales));
        sums[r][p] = vfmaq_f32(sums[r][p], vcvtq_f32_s32(products[r][p]), both);
      }
    }
  }
  store_sums<P>(tile, sums);
}

template <class V>
struct MatrixTiles {
  static void store_codes(PrefillPanel& panel, int64_t b, int64_t j, int64_t g, typename V::Bytes four,
                          typename V::Bytes next) {
    const auto first = V::add_bytes(four, -V::kBias);
    const auto second = V::add_bytes(next, -V::kBias);
    V::store(panel.codes[b][j][g], zipped(first.a, second.a, first.b, second.b));
    V::store(panel.codes[b][j + 1][g], zipped(first.c, second.c, first.d, second.d));
  }

  static void multiply(const PrefillPanel& panel, int64_t n_blocks, const QTile& tile, int64_t first_block) {
    for (int64_t half = 0; half < 2 * kPanelGroups; ++half) {
      PairTile pairs{panel, n_blocks, half / 2, half % 2, {}, {}};
      int64_t t = 0;
      for (; t + 2 * kTokenPairs <= tile.m; t += 2 * kTokenPairs) {
        place<kTokenPairs>(tile, first_block, t, pairs);
        multiply_pairs<kTokenPairs>(pairs);
      }
      for (; t < tile.m; t += 2) {
        place<1>(tile, first_block, t, pairs);
        multiply_pairs<1>(pairs);
      }
    }
  }

 private:
  // Four inputs of 4 rows, the next four of the same rows, and of 4 other rows: 8 inputs of 2 rows in each register.
  static typename V::Bytes zipped(uint8x16_t a, uint8x16_t a_next, uint8x16_t b, uint8x16_t b_next) {
    const auto zip = [](uint8x16_t four, uint8x16_t next, auto f) {
      return vreinterpretq_u8_u32(f(vreinterpretq_u32_u8(four), vreinterpretq_u32_u8(next)));
    };
    const auto low = [](uint32x4_t v, uint32x4_t w) { return vzip1q_u32(v, w); };
    const auto high = [](uint32x4_t v, uint32x4_t w) { return vzip2q_u32(v, w); };
    return {zip(a, a_next, low), zip(a, a_next, high), zip(b, b_next, low), zip(b, b_next, high)};
  }

  template <int P>
  static void place(const QTile& tile, int64_t first_block, int64_t token, PairTile& pairs) {
    const int64_t row = 16 * pairs.group + 8 * pairs.half;
    for (int i = 0; i < 2 * P; ++i) {
      const int64_t t = token + i < tile.m ? token + i : tile.m - 1;
      pairs.x[i] = tile.x + t * tile.x_stride + first_block;
      pairs.out[i] = tile.out + t * tile.out_stride + row;
    }
  }
};

}  // namespace
}  // namespace smelt
