// Four f32 lanes with the Advanced SIMD of every 64-bit Arm: see vec_x86_avx2.h, whose vocabulary this repeats. Loads
// go through bytes where the pointer may be unaligned.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace smelt {
namespace {

template <class R>
inline R read_as(const void* p) {
  R out;
  std::memcpy(&out, p, sizeof(out));
  return out;
}

struct Neon {
  using F = float32x4_t;
  using I = int32x4_t;
  static constexpr int kLanes = 4;
  static constexpr int kTileRows = 8;  // 8 x 3 accumulators, 3 activations and a weight of 32 registers

  static F zero() { return vdupq_n_f32(0); }
  static F set1(float v) { return vdupq_n_f32(v); }
  static F add(F a, F b) { return vaddq_f32(a, b); }
  static F sub(F a, F b) { return vsubq_f32(a, b); }
  static F mul(F a, F b) { return vmulq_f32(a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  // b where either is NaN.
  static F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static F round(F a) { return vrndnq_f32(a); }
  static F zero_below(F a, F x, float limit) {
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(a), vcltq_f32(x, set1(limit))));
  }
  static F exp2_int(F n) {
    return vreinterpretq_f32_s32(vshlq_n_s32(vaddq_s32(vcvtnq_s32_f32(n), vdupq_n_s32(127)), 23));
  }

  static float sum(F a) { return vaddvq_f32(a); }
  // Pairs of lanes (a, b) that are `step` apart become (a + b, a - b).
  template <int step>
  static F butterfly(F a) {
    const uint32x4_t lanes = read_as<uint32x4_t>(kLaneNumbers);
    const uint32x4_t sign = vshlq_n_u32(vandq_u32(lanes, vdupq_n_u32(step)), step == 1 ? 31 : 30);
    const F partners = step == 1 ? vrev64q_f32(a) : vextq_f32(a, a, 2);
    return add(vreinterpretq_f32_u32(veorq_u32(vreinterpretq_u32_f32(a), sign)), partners);
  }
  static float max_lane(F a) { return vmaxvq_f32(a); }

  static F load(const void* p) { return read_as<F>(p); }
  static void store(void* p, F a) { std::memcpy(p, &a, sizeof(a)); }
  // The first n < 4 lanes; the rest is zero.
  static F load_n(const void* p, int64_t n) {
    float lanes[4] = {};
    std::memcpy(lanes, p, static_cast<size_t>(n) * 4);
    return vld1q_f32(lanes);
  }
  static void store_n(void* p, F a, int64_t n) {
    float lanes[4];
    vst1q_f32(lanes, a);
    std::memcpy(p, lanes, static_cast<size_t>(n) * 4);
  }

  static F load_f16(const void* p) { return from_f16(load_u16(p)); }
  static F load_f16_n(const void* p, int64_t n) { return from_f16(load_u16_n(p, n)); }
  static void store_f16(void* p, F a) { store_f16_n(p, a, kLanes); }
  static void store_f16_n(void* p, F a, int64_t n) {
    const float16x4_t half = vcvt_f16_f32(a);
    std::memcpy(p, &half, static_cast<size_t>(n) * 2);
  }
  static F load_bf16(const void* p) { return from_bf16(load_u16(p)); }
  static F load_bf16_n(const void* p, int64_t n) { return from_bf16(load_u16_n(p, n)); }

  // Integer lanes, for unpacking quantized blocks.
  static I load_u8(const void* p) { return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(load_4_bytes(p))))); }
  static I load_i8(const void* p) { return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(load_4_bytes(p))))); }
  static I set1_int(int v) { return vdupq_n_s32(v); }
  static I shift_right(I a, int n) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n)));
  }
  static I shift_left(I a, int n) { return vshlq_s32(a, vdupq_n_s32(n)); }
  static I and_int(I a, int v) { return vandq_s32(a, set1_int(v)); }
  static I or_int(I a, I b) { return vorrq_s32(a, b); }
  static I sub_int(I a, int v) { return vsubq_s32(a, set1_int(v)); }
  static F to_float(I a) { return vcvtq_f32_s32(a); }
  static float f16_scalar(uint16_t half) { return vgetq_lane_f32(from_f16(vdup_n_u16(half)), 0); }

 private:
  static constexpr uint32_t kLaneNumbers[4] = {0, 1, 2, 3};
  static uint16x4_t load_u16(const void* p) { return read_as<uint16x4_t>(p); }
  static uint16x4_t load_u16_n(const void* p, int64_t n) {
    uint16_t lanes[4] = {};
    std::memcpy(lanes, p, static_cast<size_t>(n) * 2);
    return vld1_u16(lanes);
  }
  static uint8x8_t load_4_bytes(const void* p) {
    uint32_t four = 0;
    std::memcpy(&four, p, sizeof(four));
    return vreinterpret_u8_u32(vdup_n_u32(four));
  }
  static F from_f16(uint16x4_t a) { return vcvt_f32_f16(vreinterpret_f16_u16(a)); }
  static F from_bf16(uint16x4_t a) { return vreinterpretq_f32_u32(vshll_n_u16(a, 16)); }
};

}  // namespace
}  // namespace smelt
