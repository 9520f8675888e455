// The vocabulary of the qmatmul templates (lanes_portable.h says what its words mean) with Advanced SIMD: four
// registers stand for 16 rows, four each. Dot is the dot product that the instruction set has, and says by kBias
// whether it takes codes unsigned or signed (codecs_vec.h). Everything is in an unnamed namespace on purpose: see
// vec_x86_avx2.h.
#pragma once

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace smelt {
namespace {

template <class R>
struct Quad {
  R a, b, c, d;
};

// Not by vld1q_u8 and the like: g++ takes their bytes for a type that aliases nothing else.
template <class R>
inline R read_as(const void* p) {
  R out;
  std::memcpy(&out, p, sizeof(out));
  return out;
}

// f of each register of v, and of those of v and w.
template <class F, class R>
inline auto each(F f, Quad<R> v) {
  return Quad<decltype(f(v.a))>{f(v.a), f(v.b), f(v.c), f(v.d)};
}
template <class F, class R, class S>
inline auto each(F f, Quad<R> v, Quad<S> w) {
  return Quad<decltype(f(v.a, w.a))>{f(v.a, w.a), f(v.b, w.b), f(v.c, w.c), f(v.d, w.d)};
}

template <class Dot>
struct LanesNeon {
  using Bytes = Quad<uint8x16_t>;
  using Ints = Quad<int32x4_t>;
  using Floats = Quad<float32x4_t>;
  static constexpr int kBias = Dot::kBias;
  // 3 tokens' sums of 16 rows as ints and as floats fill 24 of 32 registers.
  static constexpr int kTileGroups = 1, kTileTokens = 3;
  static constexpr bool kManyRegisters = false;  // for the codes of a block beside the sums of 8 tokens

  static void prefetch(const void* p) { __builtin_prefetch(p, 0, 2); }
  static void prefetch_second(const void* p) { __builtin_prefetch(p, 0, 2); }
  static void prefetch_once(const void* p) { __builtin_prefetch(p, 0, 0); }

  // Bytes: codes.
  static Bytes load(const void* p) { return read_as<Bytes>(p); }
  static void store(void* p, Bytes v) { std::memcpy(p, &v, sizeof(v)); }
  static Bytes in_register(Bytes v) { return v; }
  static Bytes broadcast4(const void* p) {
    uint32_t four = 0;
    std::memcpy(&four, p, sizeof(four));
    const uint8x16_t all = vreinterpretq_u8_u32(vdupq_n_u32(four));
    return {all, all, all, all};
  }
  template <int n>
  static Bytes bits(Bytes v, int mask) {
    const uint8x16_t m = vdupq_n_u8(static_cast<uint8_t>(mask));
    if constexpr (n == 0)
      return each([m](uint8x16_t r) { return vandq_u8(r, m); }, v);
    else
      return each([m](uint8x16_t r) { return vandq_u8(vshrq_n_u8(r, n), m); }, v);
  }
  template <int n>
  static Bytes or_shifted(Bytes v, Bytes small) {
    return each([](uint8x16_t r, uint8x16_t s) { return vorrq_u8(r, vshlq_n_u8(s, n)); }, v, small);
  }
  static Bytes add_bytes(Bytes v, int n) {
    const uint8x16_t m = vdupq_n_u8(static_cast<uint8_t>(n));
    return each([m](uint8x16_t r) { return vaddq_u8(r, m); }, v);
  }
  static Bytes lookup(const uint8_t* table16, Bytes index) {
    const auto table = read_as<uint8x16_t>(table16);
    return each([table](uint8x16_t r) { return vqtbl1q_u8(table, r); }, index);
  }
  template <int n>
  static Bytes spread_bits(Ints words) {
    const auto spread = [](int32x4_t r) {
      const int32x4_t copies = vmulq_s32(r, vdupq_n_s32(0x00204081));
      return vreinterpretq_u8_s32(vandq_s32(copies, vdupq_n_s32(0x01010101)));
    };
    return each(spread, int_bits<n>(words, 15));
  }
  static Ints dot(Ints sum, Bytes codes, Bytes x) {
    return {Dot::dot(sum.a, codes.a, x.a), Dot::dot(sum.b, codes.b, x.b), Dot::dot(sum.c, codes.c, x.c),
            Dot::dot(sum.d, codes.d, x.d)};
  }

  // Ints
  static Ints load_ints(const void* p) { return read_as<Ints>(p); }
  static void store_ints(void* p, Ints v) { std::memcpy(p, &v, sizeof(v)); }
  static Ints load_u8(const void* p) {
    const auto v = read_as<uint8x16_t>(p);
    return widened(vmovl_u8(vget_low_u8(v)), vmovl_high_u8(v));
  }
  static Ints load_i8(const void* p) {
    const auto v = read_as<int8x16_t>(p);
    const int16x8_t low = vmovl_s8(vget_low_s8(v));
    const int16x8_t high = vmovl_high_s8(v);
    return {vmovl_s16(vget_low_s16(low)), vmovl_high_s16(low), vmovl_s16(vget_low_s16(high)), vmovl_high_s16(high)};
  }
  static Ints load_u16(const void* p) {
    return widened(read_as<uint16x8_t>(p), read_as<uint16x8_t>(static_cast<const uint8_t*>(p) + 16));
  }
  static Ints set1_int(int32_t v) {
    const int32x4_t all = vdupq_n_s32(v);
    return {all, all, all, all};
  }
  static Ints broadcast_int(const void* p) {
    int32_t v = 0;
    std::memcpy(&v, p, sizeof(v));
    return set1_int(v);
  }
  template <int n>
  static Ints int_bits(Ints v, int mask) {
    const auto bits_of = [m = vdupq_n_s32(mask)](int32x4_t r) {
      if constexpr (n == 0)
        return vandq_s32(r, m);
      else
        return vandq_s32(vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(r), n)), m);
    };
    return each(bits_of, v);
  }
  template <int n>
  static Ints or_int_shifted(Ints v, Ints small) {
    return each([](int32x4_t r, int32x4_t s) { return vorrq_s32(r, vshlq_n_s32(s, n)); }, v, small);
  }
  // Byte n of each lane, as signed as the codes are.
  template <int n>
  static Ints byte(Bytes v) {
    const auto byte_of = [](uint8x16_t r) {
      const int32x4_t high = vshlq_n_s32(vreinterpretq_s32_u8(r), 24 - 8 * n);
      if constexpr (kBias == 0)
        return vshrq_n_s32(high, 24);
      else
        return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(high), 24));
    };
    return each(byte_of, v);
  }
  static Ints add_int(Ints v, Ints w) {
    return each([](int32x4_t r, int32x4_t s) { return vaddq_s32(r, s); }, v, w);
  }
  static Bytes join_bytes(Ints b0, Ints b1, Ints b2, Ints b3) {
    // What is inserted leaves the low bits of the other.
    const Ints low = each([](int32x4_t r, int32x4_t s) { return vsliq_n_s32(r, s, 8); }, b0, b1);
    const Ints high = each([](int32x4_t r, int32x4_t s) { return vsliq_n_s32(r, s, 8); }, b2, b3);
    return each([](int32x4_t r, int32x4_t s) { return vreinterpretq_u8_s32(vsliq_n_s32(r, s, 16)); }, low, high);
  }

  // Floats
  static Floats load_floats(const void* p) { return read_as<Floats>(p); }
  static void store_floats(void* p, Floats v) { std::memcpy(p, &v, sizeof(v)); }
  static Floats load_f16(const void* p) {
    const auto low = read_as<float16x8_t>(p);
    const auto high = read_as<float16x8_t>(static_cast<const uint8_t*>(p) + 16);
    return {vcvt_f32_f16(vget_low_f16(low)), vcvt_high_f32_f16(low), vcvt_f32_f16(vget_low_f16(high)),
            vcvt_high_f32_f16(high)};
  }
  static Floats set1(float v) {
    const float32x4_t all = vdupq_n_f32(v);
    return {all, all, all, all};
  }
  static Floats zero() { return set1(0); }
  static Floats to_float(Ints v) {
    return each([](int32x4_t r) { return vcvtq_f32_s32(r); }, v);
  }
  static Ints round_to_int(Floats v) {
    return each([](float32x4_t r) { return vcvtnq_s32_f32(r); }, v);
  }
  static Floats mul(Floats v, Floats w) {
    return each([](float32x4_t r, float32x4_t s) { return vmulq_f32(r, s); }, v, w);
  }
  static Floats div(Floats v, Floats w) {
    return each([](float32x4_t r, float32x4_t s) { return vdivq_f32(r, s); }, v, w);
  }
  static Floats fma(Floats v, Floats w, Floats sum) {
    return {vfmaq_f32(sum.a, v.a, w.a), vfmaq_f32(sum.b, v.b, w.b), vfmaq_f32(sum.c, v.c, w.c),
            vfmaq_f32(sum.d, v.d, w.d)};
  }
  static Floats max(Floats v, Floats w) {
    return each([](float32x4_t r, float32x4_t s) { return vmaxq_f32(r, s); }, v, w);
  }
  static Floats abs(Floats v) {
    return each([](float32x4_t r) { return vabsq_f32(r); }, v);
  }
  static Floats at_least(Floats v, float least) {
    const float32x4_t bound = vdupq_n_f32(least);
    return each([bound](float32x4_t r) { return vbslq_f32(vcltq_f32(vabsq_f32(r), bound), bound, r); }, v);
  }
  static bool all_zero(Floats v) {
    const auto zeros = each([](float32x4_t r) { return vceqzq_f32(r); }, v);
    return vminvq_u32(vandq_u32(vandq_u32(zeros.a, zeros.b), vandq_u32(zeros.c, zeros.d))) != 0;
  }
  static Ints float_bits(Floats v) {
    return each([](float32x4_t r) { return vreinterpretq_s32_f32(r); }, v);
  }
  static Floats from_bits(Ints v) {
    return each([](int32x4_t r) { return vreinterpretq_f32_s32(r); }, v);
  }

  // The greatest magnitude of 32 values, of which poison becomes NaN if one is not finite.
  static float max_abs32(const float* x, float& poison) {
    const Floats v = load_floats(x);
    const Floats w = load_floats(x + 16);
    if (!all_zero(fma(v, zero(), mul(w, zero())))) poison = std::numeric_limits<float>::quiet_NaN();
    const Floats all = max(abs(v), abs(w));
    return vmaxvq_f32(vmaxq_f32(vmaxq_f32(all.a, all.b), vmaxq_f32(all.c, all.d)));
  }
  // q = round(x * inverse) of 16 values; returns their sum.
  static int32_t quantize16(const float* x, float inverse, int8_t* q) {
    const Ints v = round_to_int(mul(load_floats(x), set1(inverse)));
    const int16x8_t low = vcombine_s16(vqmovn_s32(v.a), vqmovn_s32(v.b));
    const int16x8_t high = vcombine_s16(vqmovn_s32(v.c), vqmovn_s32(v.d));
    const int8x16_t bytes = vcombine_s8(vqmovn_s16(low), vqmovn_s16(high));
    std::memcpy(q, &bytes, sizeof(bytes));
    return vaddlvq_s8(bytes);
  }

 private:
  static Ints widened(uint16x8_t low, uint16x8_t high) {
    return {vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(low))), vreinterpretq_s32_u32(vmovl_high_u16(low)),
            vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(high))), vreinterpretq_s32_u32(vmovl_high_u16(high))};
  }
};

}  // namespace
}  // namespace smelt
