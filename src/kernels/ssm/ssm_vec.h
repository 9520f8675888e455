// The steps of state-space layers as templates over a vector vocabulary V (kernels/vec_*.h), for the files per
// instruction set.
#pragma once

#include "kernels/ssm/kernel.h"

namespace smelt {
namespace {

template <class V>
struct Ssm {
  using F = typename V::F;
  static constexpr int64_t kLanes = V::kLanes;
  // Vectors of a state's row that stay in registers over all tokens; b and c of a token come from the first cache.
  static constexpr int64_t kHeld = 4;

  static void convolve(const SsmConvolution& a) {
    int64_t i = 0;
    for (; i + kLanes <= a.n; i += kLanes) {
      F sum = V::load(a.bias + i);
      for (int64_t j = 0; j < a.n_taps; ++j)
        sum = V::fma(V::load(a.weights + j * a.n + i), V::load(a.taps[j] + i), sum);
      V::store(a.out + i, sum);
    }
    if (i == a.n) return;
    const int64_t rest = a.n - i;
    F sum = V::load_n(a.bias + i, rest);
    for (int64_t j = 0; j < a.n_taps; ++j)
      sum = V::fma(V::load_n(a.weights + j * a.n + i, rest), V::load_n(a.taps[j] + i, rest), sum);
    V::store_n(a.out + i, sum, rest);
  }

  // kHeld vectors of one row of the state, from column n on, over all tokens; `first` says whether out is begun.
  static void scan_held(const SsmScan& a, int64_t p, int64_t n, bool first) {
    float* state = a.state + p * a.d_state + n;
    F h[kHeld];
    for (int64_t j = 0; j < kHeld; ++j) h[j] = V::load(state + j * kLanes);
    for (int64_t t = 0; t < a.n_tokens; ++t) {
      const float x = a.x[t * a.x_stride + p];
      const F decay = V::set1(a.decay[t * a.step_stride]);
      const F input = V::set1(a.step[t * a.step_stride] * x);
      const float* b = a.b + t * a.bc_stride + n;
      const float* c = a.c + t * a.bc_stride + n;
      F sum = V::zero();
      for (int64_t j = 0; j < kHeld; ++j) {
        h[j] = V::fma(input, V::load(b + j * kLanes), V::mul(decay, h[j]));
        sum = V::fma(h[j], V::load(c + j * kLanes), sum);
      }
      float& out = a.out[t * a.out_stride + p];
      out = V::sum(sum) + (first ? a.skip * x : out);
    }
    for (int64_t j = 0; j < kHeld; ++j) V::store(state + j * kLanes, h[j]);
  }

  // At most one vector of a row.
  static void scan_tail(const SsmScan& a, int64_t p, int64_t n, bool first) {
    const int64_t width = a.d_state - n < kLanes ? a.d_state - n : kLanes;
    float* state = a.state + p * a.d_state + n;
    F h = V::load_n(state, width);
    for (int64_t t = 0; t < a.n_tokens; ++t) {
      const float x = a.x[t * a.x_stride + p];
      const F input = V::set1(a.step[t * a.step_stride] * x);
      h = V::fma(input, V::load_n(a.b + t * a.bc_stride + n, width), V::mul(V::set1(a.decay[t * a.step_stride]), h));
      float& out = a.out[t * a.out_stride + p];
      out = V::sum(V::mul(h, V::load_n(a.c + t * a.bc_stride + n, width))) + (first ? a.skip * x : out);
    }
    V::store_n(state, h, width);
  }

  static void scan(const SsmScan& a) {
    for (int64_t p = 0; p < a.d_head; ++p) {
      int64_t n = 0;
      for (; n + kHeld * kLanes <= a.d_state; n += kHeld * kLanes) scan_held(a, p, n, n == 0);
      for (; n < a.d_state; n += kLanes) scan_tail(a, p, n, n == 0);
    }
  }
};

}  // namespace
}  // namespace smelt
