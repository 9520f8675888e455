// The attention steps as templates over a vector vocabulary V (kernels/vec_x86_*.h), for the files per instruction set.
#pragma once

#include "kernels/attention/kernel.h"
#include "kernels/attention/kv_cache.h"

namespace smelt {
namespace {

template <class V>
struct CacheF32 {
  static constexpr int64_t kBytes = 4;
  static typename V::F load(const std::byte* p) { return V::load(p); }
};
template <class V>
struct CacheF16 {
  static constexpr int64_t kBytes = 2;
  static typename V::F load(const std::byte* p) { return V::load_f16(p); }
};

// The keys of a block that a row sees.
struct Keys {
  int64_t begin, end;
  bool none() const { return begin >= end; }
  bool all() const { return begin == 0 && end == kKvBlock; }
};

inline Keys visible_keys(const BlockFold& f, int64_t row) {
  const int64_t own_end = f.position + row / f.group + 1;
  const int64_t begin = f.window > 0 ? own_end - f.window - f.block_position : 0;
  const int64_t end = (own_end + f.ahead < f.n_keys ? own_end + f.ahead : f.n_keys) - f.block_position;
  return {begin > 0 ? begin : 0, end < kKvBlock ? end : kKvBlock};
}

// The keys that any of n rows sees: later rows see later keys.
inline Keys visible_keys(const BlockFold& f, int64_t row, int64_t n) {
  return {visible_keys(f, row).begin, visible_keys(f, row + n - 1).end};
}

// 2^x for x <= 0, to 2e-7 relative; 0 below -126, NaN of NaN, exactly 1 for 0.
template <class V>
typename V::F exp2_of(typename V::F x) {
  const typename V::F n = V::round(x);
  const typename V::F f = V::sub(x, n);
  typename V::F p = V::set1(1.5403530e-4F);  // Taylor's coefficients, ln(2)^k / k!
  p = V::fma(p, f, V::set1(1.3333558e-3F));
  p = V::fma(p, f, V::set1(9.6181291e-3F));
  p = V::fma(p, f, V::set1(5.5504109e-2F));
  p = V::fma(p, f, V::set1(2.4022651e-1F));
  p = V::fma(p, f, V::set1(6.9314718e-1F));
  p = V::fma(p, f, V::set1(1.0F));
  return V::zero_below(V::mul(p, V::exp2_int(V::max(n, V::set1(-126.0F)))), x, -126.0F);
}

// A row's scores become weights, exp2(score - running maximum); keys out of sight weigh 0.
template <class V>
struct Weigher {
  using F = typename V::F;
  static constexpr int kLanes = V::kLanes;

  static void hide(float* scores, Keys keys) {
    for (int64_t j = 0; j < keys.begin && j < kKvBlock; ++j) scores[j] = -__builtin_inff();
    for (int64_t j = keys.end > 0 ? keys.end : 0; j < kKvBlock; ++j) scores[j] = -__builtin_inff();
  }

  // scores = cap * tanh(scores / cap), to 1e-6 of the cap. With t = 2^(-2 log2(e) |x|), tanh |x| = (1 - t) / (1 + t).
  static void soften(float* scores, float cap) {
    const F one = V::set1(1.0F);
    const F inverse = V::set1(1.0F / cap);
    for (int64_t j = 0; j < kKvBlock; j += kLanes) {
      const F x = V::mul(V::load(scores + j), inverse);
      const F size = V::max(x, V::sub(V::zero(), x));
      const F t = exp2_of<V>(V::mul(size, V::set1(-2.0F * 1.44269504F)));
      const F tanh = V::div(V::sub(one, t), V::add(one, t));
      // The sign of x: x / |x|, where |x| is not so small that tanh x is x.
      const F sign = V::div(x, V::max(size, V::set1(1e-30F)));
      V::store(scores + j, V::mul(V::set1(cap), V::mul(tanh, sign)));
    }
  }

  // Returns the factor for what was accumulated before.
  static float weigh(float* scores, Keys keys, float& max, float& sum) {
    if (!keys.all()) hide(scores, keys);
    F top = V::load(scores);
    for (int64_t j = kLanes; j < kKvBlock; j += kLanes) top = V::max(top, V::load(scores + j));
    const float block_max = V::max_lane(top);
    const float new_max = max < block_max ? block_max : max;
    const F base = V::set1(new_max);
    F total = V::zero();
    for (int64_t j = 0; j < kKvBlock; j += kLanes) {
      const F weight = exp2_of<V>(V::sub(V::load(scores + j), base));
      V::store(scores + j, weight);
      total = V::add(total, weight);
    }
    const float factor = exp2_scalar(max - new_max);
    sum = sum * factor + V::sum(total);
    max = new_max;
    return factor;
  }

 private:
  static float exp2_scalar(float x) {
    alignas(64) float out[kLanes];
    V::store(out, exp2_of<V>(V::set1(x)));
    return out[0];
  }
};

template <class V>
struct Attention {
  using F = typename V::F;
  static constexpr int64_t kLanes = V::kLanes;
  static constexpr int kRows = 6;                    // 6 x 4 accumulators of 32 registers, or 6 x 2 of 16
  static constexpr int kWide = kLanes == 8 ? 2 : 4;  // registers of columns in a tile
  static constexpr int kNarrow = 16 / kLanes;        // heads are filled up to 16 values

  // c[r][0 … NC registers) = factors[r] * c[r] + sum_k a[r][k] b[k]; without factors c is overwritten.
  struct Product {
    const float* a;
    int64_t a_stride;
    const std::byte* b;
    int64_t b_row_bytes;
    int64_t n;
    float* c;
    int64_t c_stride;
    const float* factors;
    int64_t ahead;  // bytes from b to what is needed next
  };
  template <class C, int R, int NC>
  static void multiply(const Product& p) {
    F sums[R][NC];
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < NC; ++c) {
        sums[r][c] = p.factors == nullptr ? V::zero()
                                          : V::mul(V::set1(p.factors[r]), V::load(p.c + r * p.c_stride + c * kLanes));
      }
    }
    const std::byte* b = p.b;
    for (int64_t k = 0; k < p.n; ++k, b += p.b_row_bytes) {
      for (int64_t at = 0; at < NC * kLanes * C::kBytes; at += 64) __builtin_prefetch(b + p.ahead + at);
      F column[NC];
      for (int c = 0; c < NC; ++c) column[c] = C::load(b + c * kLanes * C::kBytes);
      for (int r = 0; r < R; ++r) {
        const F weight = V::set1(p.a[r * p.a_stride + k]);
        for (int c = 0; c < NC; ++c) sums[r][c] = V::fma(weight, column[c], sums[r][c]);
      }
    }
    for (int r = 0; r < R; ++r) {
      for (int c = 0; c < NC; ++c) V::store(p.c + r * p.c_stride + c * kLanes, sums[r][c]);
    }
  }

  // All columns.
  template <class C, int R>
  static void multiply_all(Product p, int64_t n_columns) {
    int64_t column = 0;
    for (; column + kWide * kLanes <= n_columns; column += kWide * kLanes) {
      multiply<C, R, kWide>(p);
      p.b += kWide * kLanes * C::kBytes;
      p.c += kWide * kLanes;
    }
    for (; column < n_columns; column += kNarrow * kLanes) {
      multiply<C, R, kNarrow>(p);
      p.b += kNarrow * kLanes * C::kBytes;
      p.c += kNarrow * kLanes;
    }
  }

  template <class C, int R>
  static void fold_rows(const BlockFold& f, int64_t row) {
    const Keys seen = visible_keys(f, row, R);
    if (seen.none()) return;
    alignas(64) float scores[R * kKvBlock];
    multiply_all<C, R>({.a = reinterpret_cast<const float*>(f.q) + row * f.d,
                        .a_stride = f.d,
                        .b = f.block,
                        .b_row_bytes = kKvBlock * C::kBytes,
                        .n = f.d,
                        .c = scores,
                        .c_stride = kKvBlock,
                        .factors = nullptr,
                        .ahead = f.next - f.block},
                       kKvBlock);
    float factors[R];
    for (int r = 0; r < R && f.cap > 0; ++r) Weigher<V>::soften(scores + r * kKvBlock, f.cap);
    for (int r = 0; r < R; ++r) {
      factors[r] = Weigher<V>::weigh(scores + r * kKvBlock, visible_keys(f, row + r), f.max[row + r], f.sum[row + r]);
    }
    multiply_all<C, R>({.a = scores + seen.begin,
                        .a_stride = kKvBlock,
                        .b = f.block + (f.d * kKvBlock + seen.begin * f.d) * C::kBytes,
                        .b_row_bytes = f.d * C::kBytes,
                        .n = seen.end - seen.begin,
                        .c = f.acc + row * f.d,
                        .c_stride = f.d,
                        .factors = factors,
                        .ahead = f.next - f.block},
                       f.d);
  }

  template <class C>
  static void fold(const BlockFold& f) {
    int64_t row = 0;
    for (; row + kRows <= f.n; row += kRows) fold_rows<C, kRows>(f, row);
    switch (f.n - row) {
      case 1:
        return fold_rows<C, 1>(f, row);
      case 2:
        return fold_rows<C, 2>(f, row);
      case 3:
        return fold_rows<C, 3>(f, row);
      case 4:
        return fold_rows<C, 4>(f, row);
      case 5:
        return fold_rows<C, 5>(f, row);
      default:
        return;
    }
  }
  static void fold_f32(const BlockFold& f) { fold<CacheF32<V>>(f); }
  static void fold_f16(const BlockFold& f) { fold<CacheF16<V>>(f); }

  static void prepare(const QueryRows& rows) {
    auto* out = reinterpret_cast<float*>(rows.out);
    const F scale = V::set1(rows.scale);
    for (int64_t r = 0; r < rows.n; ++r, out += rows.d) {
      const float* q = rows.q + r / rows.group * rows.stride + r % rows.group * rows.d_head;
      int64_t i = 0;
      for (; i + kLanes <= rows.d_head; i += kLanes) V::store(out + i, V::mul(scale, V::load(q + i)));
      if (i < rows.d_head) V::store(out + i, V::mul(scale, V::load_n(q + i, rows.d_head - i))), i += kLanes;
      for (; i < rows.d; i += kLanes) V::store(out + i, V::zero());
    }
  }

  static void to_f16(const float* in, int64_t n, std::byte* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::store_f16(out + 2 * i, V::load(in + i));
    if (i < n) V::store_f16_n(out + 2 * i, V::load_n(in + i, n - i), n - i);
  }

  static constexpr FoldKernel kF32 = {prepare, fold_f32};
  static constexpr FoldKernel kF16 = {prepare, fold_f16};
};

}  // namespace
}  // namespace smelt
