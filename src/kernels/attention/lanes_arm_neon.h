// Integer products for attention over the q8 cache with Advanced SIMD: see lanes_x86_avx512.h. Keys lose the 128 that
// is added to them, as Arm multiplies signed bytes.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "kernels/vec_arm_neon.h"

namespace smelt {
namespace {

struct LanesNeon {
  static constexpr int kRows = 6;
  static constexpr bool kSignedKeys = true;
  template <bool Bytes>
  struct Operand {
    std::conditional_t<Bytes, int8x16_t, int16x8_t> x;
  };
  template <bool Bytes>
  static Operand<Bytes> load(const std::byte* p) {
    if constexpr (Bytes) {
      return {vreinterpretq_s8_u8(veorq_u8(read_as<uint8x16_t>(p), vdupq_n_u8(128)))};
    } else {
      return {vmovl_s8(read_as<int8x8_t>(p))};
    }
  }
  static int32x4_t dot(int32x4_t sum, Operand<true> b, int32x4_t a) {
#if defined(__ARM_FEATURE_DOTPROD)
    return vdotq_s32(sum, b.x, vreinterpretq_s8_s32(a));
#else
    // |key| <= 128 and |query| <= 127: two products make at most 32512, which 16 bits hold.
    const int8x16_t q = vreinterpretq_s8_s32(a);
    const int16x8_t low = vmull_s8(vget_low_s8(b.x), vget_low_s8(q));
    return vpadalq_s16(sum, vpaddq_s16(low, vmull_high_s8(b.x, q)));
#endif
  }
  static int32x4_t dot(int32x4_t sum, Operand<false> b, int32x4_t a) {
    const int16x8_t w = vreinterpretq_s16_s32(a);
    const int32x4_t low = vmull_s16(vget_low_s16(b.x), vget_low_s16(w));
    return vaddq_s32(sum, vpaddq_s32(low, vmull_high_s16(b.x, w)));
  }

  // Four values of at most 32767, rounded.
  static void store_i16(int16_t* p, float32x4_t a) {
    const int16x4_t whole = vqmovn_s32(vcvtnq_s32_f32(a));
    std::memcpy(p, &whole, sizeof(whole));
  }
};

}  // namespace
}  // namespace smelt
