// The attention steps as templates over a vector vocabulary V (kernels/vec_x86_*.h), for the files per instruction set.
#pragma once

#include "kernels/attention/kernel.h"

namespace smelt {
namespace {

template <class V>
struct CacheF32 {
  static constexpr int64_t kBytes = 4;
  static typename V::F load(const std::byte* p) { return V::load(p); }
  static typename V::F load_n(const std::byte* p, int64_t n) { return V::load_n(p, n); }
};
template <class V>
struct CacheF16 {
  static constexpr int64_t kBytes = 2;
  static typename V::F load(const std::byte* p) { return V::load_f16(p); }
  static typename V::F load_n(const std::byte* p, int64_t n) { return V::load_f16_n(p, n); }
};

template <class V>
struct Attention {
  using F = typename V::F;
  static constexpr int64_t kLanes = V::kLanes;

  // Four keys at a time: four independent chains hide the latency of the FMA, and each loaded piece of q serves four.
  template <class C, int N>
  static void score_keys(const float* q, const CacheRows& keys, int64_t j, float scale, float* scores) {
    F sums[N];
    for (int n = 0; n < N; ++n) sums[n] = V::zero();
    const std::byte* key = keys.rows + j * keys.row_bytes;
    int64_t i = 0;
    for (; i + kLanes <= keys.d_head; i += kLanes) {
      const F piece = V::load(q + i);
      for (int n = 0; n < N; ++n) sums[n] = V::fma(piece, C::load(key + n * keys.row_bytes + i * C::kBytes), sums[n]);
    }
    if (const int64_t rest = keys.d_head - i; rest > 0) {
      const F piece = V::load_n(q + i, rest);
      for (int n = 0; n < N; ++n) {
        sums[n] = V::fma(piece, C::load_n(key + n * keys.row_bytes + i * C::kBytes, rest), sums[n]);
      }
    }
    for (int n = 0; n < N; ++n) scores[j + n] = scale * V::sum(sums[n]);
  }

  template <class C>
  static void scores_of(const float* q, const CacheRows& keys, float scale, float* scores) {
    int64_t j = 0;
    for (; j + 4 <= keys.n; j += 4) score_keys<C, 4>(q, keys, j, scale, scores);
    for (; j < keys.n; ++j) score_keys<C, 1>(q, keys, j, scale, scores);
  }

  // N registers of the output at a time, over all values.
  template <class C, int N>
  static void mix_lanes(const float* p, const CacheRows& values, int64_t i, float* out) {
    F sums[N];
    for (int n = 0; n < N; ++n) sums[n] = V::zero();
    const std::byte* value = values.rows + i * C::kBytes;
    for (int64_t j = 0; j < values.n; ++j, value += values.row_bytes) {
      const F weight = V::set1(p[j]);
      for (int n = 0; n < N; ++n) sums[n] = V::fma(weight, C::load(value + n * kLanes * C::kBytes), sums[n]);
    }
    for (int n = 0; n < N; ++n) V::store(out + i + n * kLanes, sums[n]);
  }

  template <class C>
  static void mix_of(const float* p, const CacheRows& values, float* out) {
    int64_t i = 0;
    for (; i + 4 * kLanes <= values.d_head; i += 4 * kLanes) mix_lanes<C, 4>(p, values, i, out);
    for (; i + kLanes <= values.d_head; i += kLanes) mix_lanes<C, 1>(p, values, i, out);
    const int64_t rest = values.d_head - i;
    if (rest == 0) return;
    F sum = V::zero();
    for (int64_t j = 0; j < values.n; ++j) {
      sum = V::fma(V::set1(p[j]), C::load_n(values.rows + j * values.row_bytes + i * C::kBytes, rest), sum);
    }
    V::store_n(out + i, sum, rest);
  }

  static void scores(const float* q, const CacheRows& keys, float scale, float* out) {
    if (keys.dtype == DType::f32) return scores_of<CacheF32<V>>(q, keys, scale, out);
    scores_of<CacheF16<V>>(q, keys, scale, out);
  }

  static void mix(const float* p, const CacheRows& values, float* out) {
    if (values.dtype == DType::f32) return mix_of<CacheF32<V>>(p, values, out);
    mix_of<CacheF16<V>>(p, values, out);
  }

  static void store_f16(const float* in, int64_t n, std::byte* out) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::store_f16(out + 2 * i, V::load(in + i));
    if (i < n) V::store_f16_n(out + 2 * i, V::load_n(in + i, n - i), n - i);
  }
};

}  // namespace
}  // namespace smelt
