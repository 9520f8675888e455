// Attention over the q8 cache, written over a vector vocabulary V of floats and a vocabulary L of integer lanes
// (lanes_x86_*.h). Products are of whole numbers, 8 bits by 8 for the scores and 16 (weights) by 8 for the values:
// exact, so that what a row gets does not depend on the rows beside it or on the way sums are split.
#pragma once

#include "kernels/attention/attention_vec.h"
#include "kernels/attention/hadamard_vec.h"

namespace smelt {
namespace {

// Where the parts of a head are in a block.
struct Int8Block {
  const std::byte *keys, *values;
  const float *key_scales, *value_scales;
  static Int8Block at(const std::byte* block, int64_t d) {
    const auto* scales = reinterpret_cast<const float*>(block + 2 * kKvBlock * d);
    return {block, block + kKvBlock * d, scales, scales + kKvBlock};
  }
};

inline QuantizedQueries queries_at(std::byte* memory, int64_t n, int64_t d) {
  auto* scales = reinterpret_cast<float*>(memory + n * d);
  return {reinterpret_cast<int8_t*>(memory), scales, reinterpret_cast<int32_t*>(scales + n)};
}

template <class V, class L>
struct Int8Attention {
  using F = typename V::F;
  using I = typename V::I;
  static constexpr int64_t kLanes = V::kLanes;
  static constexpr int kRows = L::kRows;
  static constexpr int kWide = kLanes == 8 ? 2 : 4;  // registers of columns in a tile
  static constexpr int kNarrow = 16 / kLanes;

  // c[r][0 … NC registers) = start[r] + sum over k of a[r][k] times b[k], where a has 32 bits of small numbers and b
  // the same for each column: four of 8 bits (Bytes), or two of 16 that are stored as 8.
  struct Product {
    const uint32_t* a;
    int64_t a_stride;
    const std::byte* b;
    int64_t b_row_bytes;
    int64_t n;
    const int32_t* start;
    int64_t ahead;  // bytes from b to what is needed next
  };
  template <int R, int NC, bool Bytes, class Store>
  static void multiply(const Product& p, const Store& store) {
    I sums[R][NC];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < NC; ++c) sums[r][c] = V::set1_int(p.start == nullptr || L::kSignedKeys ? 0 : -p.start[r]);
    }
    const std::byte* b = p.b;
    for (int64_t k = 0; k < p.n; ++k, b += p.b_row_bytes) {
      for (int at = 0; at < NC * kLanes * (Bytes ? 4 : 2); at += 64) __builtin_prefetch(b + p.ahead + at);
      typename L::template Operand<Bytes> column[NC];
      for (int c = 0; c < NC; ++c) column[c] = L::template load<Bytes>(b + c * kLanes * (Bytes ? 4 : 2));
      for (int r = 0; r < R; ++r) {
        const I weight = V::set1_int(static_cast<int>(p.a[r * p.a_stride + k]));
        for (int c = 0; c < NC; ++c) sums[r][c] = L::dot(sums[r][c], column[c], weight);
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < NC; ++c) store(r, c * kLanes, V::to_float(sums[r][c]));
    }
  }

  template <int R>
  static void score(const BlockFold& f, const Int8Block& block, int64_t row, int64_t n_keys, float* scores) {
    const QuantizedQueries q = queries_at(const_cast<std::byte*>(f.q), f.n, f.d);
    Product p{.a = reinterpret_cast<const uint32_t*>(q.values + row * f.d),
              .a_stride = f.d / 4,
              .b = block.keys,
              .b_row_bytes = kKvBlock * 4,
              .n = f.d / 4,
              .start = q.offsets + row,
              .ahead = f.next - f.block};
    for (int64_t j = 0; j < n_keys; j += kWide * kLanes, p.b += kWide * kLanes * 4) {
      multiply<R, kWide, true>(p, [&](int r, int64_t at, F sum) {
        const F scale = V::mul(V::set1(q.scales[row + r]), V::load(block.key_scales + j + at));
        V::store(scores + r * kKvBlock + j + at, V::mul(sum, scale));
      });
    }
  }

  // Weights times the scales of their values as whole numbers up to 32767, two by two; returns what one of them stands
  // for. The largest of the block sets it, so that blocks of small weights keep them.
  static float round_weights(const float* weights, const float* scales, int16_t* out) {
    F products[kKvBlock / kLanes];
    F top = V::zero();
    for (int64_t c = 0; c < kKvBlock / kLanes; ++c) {
      products[c] = V::mul(V::load(weights + c * kLanes), V::load(scales + c * kLanes));
      top = V::max(top, products[c]);
    }
    const float max = V::max_lane(top);
    const F inverse = V::set1(max > 0 ? 32767.0F / max : 0.0F);
    for (int64_t c = 0; c < kKvBlock / kLanes; ++c) L::store_i16(out + c * kLanes, V::mul(products[c], inverse));
    return max / 32767.0F;
  }

  template <int R>
  static void mix(const BlockFold& f, int64_t row, Product p, const float* factors, const float* units) {
    float* acc = f.acc + row * f.d;
    int64_t i = 0;
    const auto add = [&](int r, int64_t at, F sum) {
      float* out = acc + r * f.d + i + at;
      V::store(out, V::fma(sum, V::set1(units[r]), V::mul(V::set1(factors[r]), V::load(out))));
    };
    for (; i + kWide * kLanes <= f.d; i += kWide * kLanes, p.b += kWide * kLanes * 2) multiply<R, kWide, false>(p, add);
    for (; i < f.d; i += kNarrow * kLanes, p.b += kNarrow * kLanes * 2) multiply<R, kNarrow, false>(p, add);
  }

  template <int R>
  static void fold_rows(const BlockFold& f, int64_t row) {
    const Keys seen = visible_keys(f, row, R);
    if (seen.none()) return;
    const Int8Block block = Int8Block::at(f.block, f.d);
    alignas(64) float scores[R * kKvBlock];
    alignas(64) uint32_t weights[R * kKvBlock / 2];
    float factors[R];
    float units[R];
    score<R>(f, block, row, seen.end, scores);
    for (int r = 0; r < R; ++r) {
      float* s = scores + r * kKvBlock;
      if (f.cap > 0) Weigher<V>::soften(s, f.cap);
      factors[r] = Weigher<V>::weigh(s, visible_keys(f, row + r), f.max[row + r], f.sum[row + r]);
      units[r] = round_weights(s, block.value_scales, reinterpret_cast<int16_t*>(weights + r * kKvBlock / 2));
    }
    const int64_t begin = seen.begin / 2;
    mix<R>(f, row,
           {.a = weights + begin,
            .a_stride = kKvBlock / 2,
            .b = block.values + begin * f.d * 2,
            .b_row_bytes = f.d * 2,
            .n = (seen.end + 1) / 2 - begin,
            .start = nullptr,
            .ahead = f.next - f.block},
           factors, units);
  }

  static void fold(const BlockFold& f) {
    int64_t row = 0;
    for (; row + kRows <= f.n; row += kRows) fold_rows<kRows>(f, row);
    switch (f.n - row) {
      case 1:
        return fold_rows<1>(f, row);
      case 2:
        return fold_rows<2>(f, row);
      case 3:
        return fold_rows<3>(f, row);
      case 4:
        return fold_rows<4>(f, row);
      case 5:
        return fold_rows<5>(f, row);
      default:
        return;
    }
  }

  static void prepare(const QueryRows& rows) {
    const QuantizedQueries out = queries_at(rows.out, rows.n, rows.d);
    for (int64_t r = 0; r < rows.n; ++r) {
      const float* q = rows.q + r / rows.group * rows.stride + r % rows.group * rows.d_head;
      int8_t* values = out.values + r * rows.d;
      out.scales[r] = rows.scale * Hadamard<V>::quantize(q, rows.d_head, rows.d, values);
      int32_t sum = 0;
      for (int64_t i = 0; i < rows.d; ++i) sum += values[i];
      out.offsets[r] = 128 * sum;
    }
  }

  static constexpr FoldKernel kQ8 = {prepare, fold};
};

}  // namespace
}  // namespace smelt
