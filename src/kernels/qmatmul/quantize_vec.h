// Quantization of activations (activations.h) as a template over a vocabulary V (lanes_*.h).
#pragma once

#include <cstring>

#include "kernels/qmatmul/activations.h"

namespace smelt {
namespace {

constexpr float kLeastActivationScale = 0x1p-60F;

// The least power of two with greatest / scale <= 127, kept far from the ends of the exponent's range.
inline float power_of_two_scale(float greatest) {
  uint32_t bits = 0;
  const float ratio = greatest * (1.0F / 127.0F);
  std::memcpy(&bits, &ratio, sizeof(bits));
  uint32_t exponent = (bits + 0x7fffffU) >> 23;  // rounded up
  exponent = exponent < 67 ? 67 : exponent > 187 ? 187 : exponent;
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
  for (int64_t i = 0; i < k; i += 32, ++out) {
    const float greatest = V::max_abs32(x + i, poison);
    const float scale = arithmetic == QArithmetic::prefill ? power_of_two_scale(greatest) : best_scale(greatest);
    const float inverse = 1.0F / scale;
    const int32_t low = V::quantize16(x + i, inverse, out->q);
    const int32_t high = V::quantize16(x + i + 16, inverse, out->q + 16);
    out->scale = scale;
    out->offset128 = -128 * (low + high);
    out->offset128_half[0] = -128 * low;
    out->offset128_half[1] = -128 * high;
    out->sum = scale * static_cast<float>(low + high);
    out->sum_half[0] = scale * static_cast<float>(low);
    out->sum_half[1] = scale * static_cast<float>(high);
    out->unused = 0;
  }
  return poison;
}

}  // namespace
}  // namespace smelt
