// Registers of 128 bits for the probe on 64-bit Arm.
#pragma once

#include <arm_neon.h>

#include <cstdint>

namespace smelt {
namespace {

struct Ints128 {
  using Register = int32x4_t;
  static constexpr int kSums = 16, kProducts = 16;
  static Register zero() { return vdupq_n_s32(0); }
  static Register ones() { return vreinterpretq_s32_s8(vdupq_n_s8(1)); }
  static void hide(Register& x) { asm volatile("" : "+w"(x)); }
  static int8x16_t bytes(Register x) { return vreinterpretq_s8_s32(x); }
  static double total(Register x) {
    int32_t lanes[4];
    vst1q_s32(lanes, x);
    double sum = 0;
    for (const int32_t lane : lanes) sum += lane;
    return sum;
  }
};

struct F32Neon {
  using Register = float32x4_t;
  static constexpr int kSums = 16, kProducts = 4;
  static Register zero() { return vdupq_n_f32(0); }
  static Register ones() { return vdupq_n_f32(1); }
  static void hide(Register& x) { asm volatile("" : "+w"(x)); }
  static Register step(Register sum, Register a, Register b) { return vfmaq_f32(sum, a, b); }
  static double total(Register x) {
    float lanes[4];
    vst1q_f32(lanes, x);
    double sum = 0;
    for (const float lane : lanes) sum += static_cast<double>(lane);
    return sum;
  }
};

struct Words128 {
  using Register = uint64x2_t;
  static constexpr uint64_t kWords = 2;
  static Register zero() { return vdupq_n_u64(0); }
  static Register load(const std::byte* p) { return vld1q_u64(reinterpret_cast<const uint64_t*>(p)); }
  static Register exclusive_or(Register a, Register b) { return veorq_u64(a, b); }
  static uint64_t fold(Register x) { return vgetq_lane_u64(x, 0) ^ vgetq_lane_u64(x, 1); }
};

}  // namespace
}  // namespace smelt
