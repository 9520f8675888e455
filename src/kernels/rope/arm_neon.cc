// Rotation with Advanced SIMD, bit-identical to reference.cc (products and sums are rounded separately there too).
#if defined(__aarch64__)

#include "kernels/rope/kernel.h"
#include "kernels/vec_arm_neon.h"

namespace smelt {
namespace {

void rotate_pair(float& a, float& b, float cos, float sin) {
  const float turned_a = a * cos - b * sin;
  b = b * cos + a * sin;
  a = turned_a;
}

void rotate_split(float* head, int64_t half, const float* cos, const float* sin) {
  int64_t i = 0;
  for (; i + 4 <= half; i += 4) {
    const float32x4_t a = Neon::load(head + i);
    const float32x4_t b = Neon::load(head + half + i);
    const float32x4_t c = Neon::load(cos + i);
    const float32x4_t s = Neon::load(sin + i);
    Neon::store(head + i, Neon::sub(Neon::mul(a, c), Neon::mul(b, s)));
    Neon::store(head + half + i, Neon::add(Neon::mul(b, c), Neon::mul(a, s)));
  }
  for (; i < half; ++i) rotate_pair(head[i], head[half + i], cos[i], sin[i]);
}

void rotate_interleaved(float* head, int64_t half, const float* cos, const float* sin) {
  int64_t i = 0;
  for (; i + 4 <= half; i += 4) {
    float32x4x2_t pairs = vld2q_f32(head + 2 * i);  // all a, all b
    const float32x4_t a = pairs.val[0];
    const float32x4_t c = Neon::load(cos + i);
    const float32x4_t s = Neon::load(sin + i);
    pairs.val[0] = Neon::sub(Neon::mul(a, c), Neon::mul(pairs.val[1], s));
    pairs.val[1] = Neon::add(Neon::mul(pairs.val[1], c), Neon::mul(a, s));
    vst2q_f32(head + 2 * i, pairs);
  }
  for (; i < half; ++i) rotate_pair(head[2 * i], head[2 * i + 1], cos[i], sin[i]);
}

void rotate(float* head, int64_t n_rope, RopeLayout layout, const float* cos, const float* sin) {
  if (layout == RopeLayout::half_split) return rotate_split(head, n_rope / 2, cos, sin);
  rotate_interleaved(head, n_rope / 2, cos, sin);
}

}  // namespace

extern const RopeKernel rope_neon = {Isa::neon, rotate};

}  // namespace smelt

#endif
