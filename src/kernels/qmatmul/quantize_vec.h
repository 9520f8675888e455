// Quantization of activations (activations.h) as a template over a vocabulary V (lanes_*.h).
#pragma once

#include <cstring>
#include <limits>

#include "kernels/qmatmul/activations.h"

namespace smelt {
namespace {

// The least power of two with greatest / scale <= 127, kept far from the ends of the exponent's range.
inline float power_of_two_scale(float greatest) {
  uint32_t bits = 0;
  const float ratio = greatest * (1.0F / 127.0F);
  std::memcpy(&bits, &ratio, sizeof(bits));
  uint32_t exponent = (bits + 0x7fffffU) >> 23;  // rounded up
  constexpr uint32_t kLeast = kLeastActivationExponent, kMost = kMostActivationExponent;
  exponent = exponent < kLeast ? kLeast : exponent > kMost ? kMost : exponent;
  bits = exponent << 23;
  float scale = 0;
  std::memcpy(&scale, &bits, sizeof(scale));
  return scale;
}

// The least scale with greatest / scale <= 127.
inline float best_scale(float greatest) {
  const float scale = greatest * (1.0F / 127.0F);
  return scale > kLeastActivationScale ? scale : kLeastActivationScale;
}

template <class V>
float quantize_row(const float* x, int64_t k, QArithmetic arithmetic, ActivationBlock* out) {
  float poison = 0;
  int64_t i = 0;
  if constexpr (requires(typename V::Floats zeros) { V::quantize_four(x, true, out, zeros); }) {
    typename V::Floats zeros = V::zero();
    for (; i + 128 <= k; i += 128, out += 4) V::quantize_four(x + i, arithmetic == QArithmetic::prefill, out, zeros);
    if (!V::all_zero(zeros)) poison = std::numeric_limits<float>::quiet_NaN();
  }
  for (; i < k; i += 32, ++out) {
    const float greatest = V::max_abs32(x + i, poison);
    const float scale = arithmetic == QArithmetic::prefill ? power_of_two_scale(greatest) : best_scale(greatest);
    const int32_t sums[2] = {V::quantize16(x + i, 1.0F / scale, out->q),
                             V::quantize16(x + i + 16, 1.0F / scale, out->q + 16)};
    out->scale = scale;
    out->offset128 = -128 * (sums[0] + sums[1]);
    out->offset128_half[0] = -128 * sums[0];
    out->offset128_half[1] = -128 * sums[1];
    out->sum = scale * static_cast<float>(sums[0] + sums[1]);
    out->sum_half[0] = scale * static_cast<float>(sums[0]);
    out->sum_half[1] = scale * static_cast<float>(sums[1]);
    out->unused = 0;
  }
  return poison;
}

}  // namespace
}  // namespace smelt
