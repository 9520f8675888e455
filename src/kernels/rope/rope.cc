// Angles, and dispatch of the rotation.
#include "kernels/rope/rope.h"

#include <cmath>

#include "kernels/rope/kernel.h"

namespace smelt {
namespace {

constexpr const RopeKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &rope_##isa,
#include "kernels/rope/kernels.inc"
#undef SMELT_KERNEL
};

}  // namespace

void rope_angles_into(const float* inv_freq, int64_t n_rope, int64_t position, float* cos, float* sin) {
  for (int64_t i = 0; i < n_rope / 2; ++i) {
    // The product is rounded to f32 as in the models' own training code; at far positions that changes the angle.
    const float angle = static_cast<float>(position) * inv_freq[i];
    cos[i] = static_cast<float>(std::cos(static_cast<double>(angle)));
    sin[i] = static_cast<float>(std::sin(static_cast<double>(angle)));
  }
}

void rope_in_place(float* x, int64_t n_heads, int64_t d_head, const RopeRotation& rotation, Isa isa) {
  const RopeKernel& kernel = find_kernel<RopeKernel>(kKernels, isa);
  const RopeRotation& r = rotation;
  for (int64_t h = 0; h < n_heads; ++h) kernel.rotate(x + h * d_head, r.n_rope, r.layout, r.cos, r.sin);
}

}  // namespace smelt
