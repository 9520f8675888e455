// The row-wise operations as templates over a vector vocabulary V (kernels/vec_x86_*.h), for the files per instruction
// set.
#pragma once

#include "kernels/elementwise/kernel.h"

namespace smelt {
namespace {

template <class V>
struct Elementwise {
  using F = typename V::F;
  static constexpr int64_t kLanes = V::kLanes;

  // exp(x) to 2 units in the last place. With n = round(x / ln 2) and r = x - n ln 2, |r| <= ln 2 / 2:
  // exp(x) = 2^n exp(r), and seven terms of the series of exp(r) leave an error of |r|^8 / 8! < 6e-9. ln 2 is taken in
  // two parts, the first with few bits so that n times it is exact. Below -87 the result is 0; above 88 it stays at
  // exp(88).
  static F exp(F x) {
    const F clamped = V::min(V::set1(88.0F), V::max(V::set1(-87.0F), x));  // in this order NaN passes
    const F n = V::round(V::mul(clamped, V::set1(1.44269504F)));
    F r = V::fma(n, V::set1(-0.693359375F), clamped);
    r = V::fma(n, V::set1(2.12194440e-4F), r);
    F p = V::set1(1.0F / 5040);
    constexpr float kSeries[] = {1.0F / 720, 1.0F / 120, 1.0F / 24, 1.0F / 6, 0.5F, 1.0F, 1.0F};
    for (const float c : kSeries) p = V::fma(p, r, V::set1(c));
    return V::zero_below(V::mul(p, V::exp2_int(n)), x, -87.0F);
  }

  static void rms_norm(const float* x, const float* weight, int64_t n, float eps, float* out) {
    F sums = V::zero();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const F v = V::load(x + i);
      sums = V::fma(v, v, sums);
    }
    if (i < n) {
      const F v = V::load_n(x + i, n - i);
      sums = V::fma(v, v, sums);
    }
    const float mean = V::sum(sums) / static_cast<float>(n);
    const float scale = 1.0F / __builtin_sqrtf(mean + eps);
    for (i = 0; i + kLanes <= n; i += kLanes) {
      V::store(out + i, V::mul(V::mul(V::load(x + i), V::set1(scale)), V::load(weight + i)));
    }
    if (i < n) {
      V::store_n(out + i, V::mul(V::mul(V::load_n(x + i, n - i), V::set1(scale)), V::load_n(weight + i, n - i)), n - i);
    }
  }

  static F silu_times(F gate, F up) {
    const F sigmoid_inverse = V::add(V::set1(1.0F), exp(V::sub(V::zero(), gate)));
    return V::mul(V::div(gate, sigmoid_inverse), up);
  }

  static void swiglu(float* gate, const float* up, int64_t n) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) V::store(gate + i, silu_times(V::load(gate + i), V::load(up + i)));
    if (i < n) V::store_n(gate + i, silu_times(V::load_n(gate + i, n - i), V::load_n(up + i, n - i)), n - i);
  }

  static float max_of(const float* x, int64_t n) {
    float top = x[0];
    int64_t i = 0;
    if (n >= kLanes) {
      F tops = V::load(x);
      for (i = kLanes; i + kLanes <= n; i += kLanes) tops = V::max(V::load(x + i), tops);
      top = V::max_lane(tops);
    }
    for (; i < n; ++i) top = x[i] > top ? x[i] : top;
    return top;
  }

  static void softmax(float* x, int64_t n) {
    const F top = V::set1(max_of(x, n));
    F sums = V::zero();
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const F e = exp(V::sub(V::load(x + i), top));
      V::store(x + i, e);
      sums = V::add(sums, e);
    }
    float sum = V::sum(sums);
    if (i < n) {
      V::store_n(x + i, exp(V::sub(V::load_n(x + i, n - i), top)), n - i);
      sum += V::sum(V::load_n(x + i, n - i));
    }
    const F scale = V::set1(1.0F / sum);
    for (i = 0; i + kLanes <= n; i += kLanes) V::store(x + i, V::mul(V::load(x + i), scale));
    if (i < n) V::store_n(x + i, V::mul(V::load_n(x + i, n - i), scale), n - i);
  }
};

}  // namespace
}  // namespace smelt
