// The Hadamard rotation and rounding of heads for the q8 cache, over a vector vocabulary V (kernels/vec_x86_*.h).
#pragma once

#include "kernels/attention/kernel.h"

namespace smelt {
namespace {

template <class V>
struct Hadamard {
  using F = typename V::F;
  static constexpr int64_t kLanes = V::kLanes;
  static constexpr int64_t kMaxHead = 8192;  // what models may have

  static int64_t block_of(int64_t d_head) { return d_head & -d_head; }

  // The butterflies of all steps, without the factor 1/sqrt(block).
  static void transform(float* x, int64_t d, int64_t block) {
    for (int64_t i = 0; i < d; i += kLanes) {
      F v = V::load(x + i);
      if (block > 1) v = V::template butterfly<1>(v);
      if (block > 2) v = V::template butterfly<2>(v);
      if constexpr (kLanes > 4) {
        if (block > 4) v = V::template butterfly<4>(v);
      }
      if constexpr (kLanes > 8) {
        if (block > 8) v = V::template butterfly<8>(v);
      }
      V::store(x + i, v);
    }
    for (int64_t step = kLanes; step < block; step *= 2) {
      for (int64_t i = 0; i < d; i += kLanes) {
        if ((i & step) != 0) continue;
        const F a = V::load(x + i);
        const F b = V::load(x + i + step);
        V::store(x + i, V::add(a, b));
        V::store(x + i + step, V::sub(a, b));
      }
    }
  }

  static void rotate(float* x, int64_t d_head, int64_t d) {
    const int64_t block = block_of(d_head);
    transform(x, d, block);
    const F factor = V::set1(1.0F / __builtin_sqrtf(static_cast<float>(block)));
    for (int64_t i = 0; i < d; i += kLanes) V::store(x + i, V::mul(factor, V::load(x + i)));
  }

  static float quantize(const float* in, int64_t d_head, int64_t d, int8_t* out) {
    alignas(64) float x[kMaxHead];
    for (int64_t i = 0; i < d; ++i) x[i] = i < d_head ? in[i] : 0.0F;
    rotate(x, d_head, d);
    F top = V::zero();
    F zeros = V::zero();  // not a number where x is not finite
    for (int64_t i = 0; i < d; i += kLanes) {
      const F v = V::load(x + i);
      top = V::max(top, V::max(v, V::sub(V::zero(), v)));
      zeros = V::fma(v, V::zero(), zeros);
    }
    const float max = V::max_lane(top);
    const float scale = max / 127.0F + V::sum(zeros);
    const F inverse = V::set1(scale > 0 ? 127.0F / max : 0.0F);
    for (int64_t i = 0; i < d; i += kLanes) V::store(x + i, V::round(V::mul(inverse, V::load(x + i))));
    if (!(scale > 0)) return fill(out, d, scale);
    for (int64_t i = 0; i < d; ++i) out[i] = static_cast<int8_t>(static_cast<int32_t>(x[i]));
    return scale;
  }

 private:
  static float fill(int8_t* out, int64_t d, float scale) {
    for (int64_t i = 0; i < d; ++i) out[i] = 0;
    return scale;
  }
};

}  // namespace
}  // namespace smelt
