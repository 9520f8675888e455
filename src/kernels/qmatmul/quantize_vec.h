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

// q = round(x * inverse) of 32 values; sums of the first and the last 16. An instruction set may have a way of its own.
template <class V>
void quantize32(const float* x, float inverse, int8_t* q, int32_t* sums) {
  if constexpr (requires { V::quantize32(x, inverse, q, sums); }) {
    V::quantize32(x, inverse, q, sums);
  } else {
    sums[0] = V::quantize16(x, inverse, q);
    sums[1] = V::quantize16(x + 16, inverse, q + 16);
  }
}

template <class V>
float quantize_row(const float* x, int64_t k, QArithmetic arithmetic, ActivationBlock* out) {
  float poison = 0;
  for (int64_t i = 0; i < k; i += 32, ++out) {
    const float greatest = V::max_abs32(x + i, poison);
    const float scale = arithmetic == QArithmetic::prefill ? power_of_two_scale(greatest) : best_scale(greatest);
    int32_t sums[2];
    quantize32<V>(x + i, 1.0F / scale, out->q, sums);
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
