// The plain element types: one value, no shared scale. f32 is kept bit for bit; the 16-bit floats keep infinities and
// NaN but saturate finite values that would round to infinity, because one infinite weight ruins a model and a clipped
// one does not.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/blocks/block_format.h"

namespace smelt {

template <>
struct BlockFormat<DType::f32> {
  using Value = float;
  static float decode_value(float value) { return value; }
  static float encode_value(float value) { return value; }
};

template <>
struct BlockFormat<DType::f16> {
  using Value = uint16_t;
  static float decode_value(uint16_t value) { return f16_to_f32(value); }
  static uint16_t encode_value(float value) {
    const bool finite = std::abs(value) <= std::numeric_limits<float>::max();
    return f32_to_f16(finite ? std::clamp(value, -kMaxF16, kMaxF16) : value);
  }
};

template <>
struct BlockFormat<DType::bf16> {
  using Value = uint16_t;
  static constexpr float kMax = 0x1.fep127f;
  static float decode_value(uint16_t value) { return bf16_to_f32(value); }
  static uint16_t encode_value(float value) {
    const bool finite = std::abs(value) <= std::numeric_limits<float>::max();
    return f32_to_bf16(finite ? std::clamp(value, -kMax, kMax) : value);
  }
};

template <>
struct BlockFormat<DType::i8> {
  using Value = int8_t;
  static float decode_value(int8_t value) { return value; }
  static int8_t encode_value(float value) {
    if (!std::isfinite(value)) return 0;
    return static_cast<int8_t>(std::nearbyint(std::clamp(value, -128.0f, 127.0f)));
  }
};

}  // namespace smelt
