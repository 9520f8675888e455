// Portable rotation. A pair (a, b) is a point of the plane, turned by the angle of its frequency:
//   a' = a cos - b sin,  b' = b cos + a sin
// so that the dot product of a rotated query and a rotated key depends on the difference of their positions only.
#include "kernels/rope/kernel.h"

namespace smelt {
namespace {

void rotate(float* head, int64_t n_rope, RopeLayout layout, const float* cos, const float* sin) {
  const int64_t half = n_rope / 2;
  const bool split = layout == RopeLayout::half_split;
  for (int64_t i = 0; i < half; ++i) {
    float& a = split ? head[i] : head[2 * i];
    float& b = split ? head[i + half] : head[2 * i + 1];
    const float turned_a = a * cos[i] - b * sin[i];
    const float turned_b = b * cos[i] + a * sin[i];
    a = turned_a;
    b = turned_b;
  }
}

}  // namespace

extern const RopeKernel rope_reference = {Isa::reference, rotate};

}  // namespace smelt
