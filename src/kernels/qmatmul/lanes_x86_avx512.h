// The vocabulary of the qmatmul templates with AVX-512: a register of 64 bytes is four inputs of 16 rows, a register of
// 16 floats or ints one value of each row. Dot is the dot product that the instruction set has, and says by kBias
// whether it takes codes unsigned or signed (codecs_vec.h). Everything is in an unnamed namespace on purpose: see
// vec_x86_avx2.h.
#pragma once

// g++ 12 takes the deliberately undefined registers inside its own header for mistakes (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstdint>
#include <cstring>
#include <limits>

#include "kernels/qmatmul/activations.h"

namespace smelt {
namespace {

template <class Dot>
struct Lanes512 {
  using Bytes = __m512i;
  using Ints = __m512i;
  using Floats = __m512;
  static constexpr int kBias = Dot::kBias;
  static constexpr int kTileGroups = Dot::kTileGroups, kTileTokens = Dot::kTileTokens;
  static constexpr bool kManyRegisters = true;  // for the codes of a block beside the sums of 8 tokens

  // Not by the intrinsic: g++ 12 drops loops that do nothing else.
  static void prefetch(const void* p) { asm volatile("prefetcht0 %0" : : "m"(*static_cast<const char*>(p))); }
  static void prefetch_second(const void* p) { asm volatile("prefetcht1 %0" : : "m"(*static_cast<const char*>(p))); }
  static void prefetch_once(const void* p) { asm volatile("prefetchnta %0" : : "m"(*static_cast<const char*>(p))); }

  // Bytes: codes.
  static Bytes load(const void* p) { return _mm512_loadu_si512(p); }
  static void store(void* p, Bytes a) { _mm512_storeu_si512(p, a); }
  // Keeps the compiler from loading a value anew at each use.
  static Bytes in_register(Bytes a) {
    asm("" : "+v"(a));
    return a;
  }
  static Bytes broadcast4(const void* p) {
    int32_t v = 0;
    std::memcpy(&v, p, sizeof(v));
    return _mm512_set1_epi32(v);
  }
  // (byte >> n) & mask
  template <int n>
  static Bytes bits(Bytes a, int mask) {
    return _mm512_and_si512(n == 0 ? a : _mm512_srli_epi16(a, n), _mm512_set1_epi8(static_cast<char>(mask)));
  }
  // byte >> n, or << -n, with bits of its neighbour coming in
  template <int n>
  static Bytes shift(Bytes a) {
    if constexpr (n == 0) return a;
    return n > 0 ? _mm512_srli_epi16(a, n) : _mm512_slli_epi16(a, -n);
  }
  // a where the mask has ones, b elsewhere
  static Bytes select(Bytes a, Bytes b, int mask) {
    return _mm512_ternarylogic_epi32(_mm512_set1_epi8(static_cast<char>(mask)), a, b, 0xca);
  }
  // a | small << n, where small has few enough bits
  template <int n>
  static Bytes or_shifted(Bytes a, Bytes small) {
    return _mm512_or_si512(a, n == 0 ? small : _mm512_slli_epi16(small, n));
  }
  static Bytes add_bytes(Bytes a, int v) { return _mm512_add_epi8(a, _mm512_set1_epi8(static_cast<char>(v))); }
  static Bytes lookup(const uint8_t* table16, Bytes index) {
    return _mm512_shuffle_epi8(_mm512_broadcast_i32x4(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table16))),
                               index);
  }
  // Bits n … n + 3 of each int, one in each byte.
  template <int n>
  static Bytes spread_bits(Ints words) {
    const Ints four = _mm512_and_si512(n == 0 ? words : _mm512_srli_epi32(words, n), _mm512_set1_epi32(15));
    return _mm512_and_si512(_mm512_mullo_epi32(four, _mm512_set1_epi32(0x00204081)), _mm512_set1_epi32(0x01010101));
  }
  // sum + codes times signed bytes, four to a lane
  static Ints dot(Ints sum, Bytes codes, Bytes x) { return Dot::dot(sum, codes, x); }

  // Ints
  static Ints load_ints(const void* p) { return _mm512_loadu_si512(p); }
  static void store_ints(void* p, Ints a) { _mm512_storeu_si512(p, a); }
  static Ints load_u8(const void* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static Ints load_i8(const void* p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static Ints load_u16(const void* p) {
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256(static_cast<const __m256i*>(p)));
  }
  static Ints set1_int(int32_t v) { return _mm512_set1_epi32(v); }
  static Ints broadcast_int(const void* p) {
    int32_t v = 0;
    std::memcpy(&v, p, sizeof(v));
    return _mm512_set1_epi32(v);
  }
  template <int n>
  static Ints int_bits(Ints a, int mask) {
    return _mm512_and_si512(n == 0 ? a : _mm512_srli_epi32(a, n), _mm512_set1_epi32(mask));
  }
  template <int n>
  static Ints or_int_shifted(Ints a, Ints small) {
    return _mm512_or_si512(a, n == 0 ? small : _mm512_slli_epi32(small, n));
  }
  // Byte n of each lane, as signed as the codes are.
  template <int n>
  static Ints byte(Bytes a) {
    if constexpr (kBias == 0) return _mm512_srai_epi32(n == 3 ? a : _mm512_slli_epi32(a, 24 - 8 * n), 24);
    return int_bits<8 * n>(a, 255);
  }
  template <int n>
  static Ints shift_right_int(Ints a) {
    return _mm512_srai_epi32(a, n);
  }
  static Ints add_int(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
  // The low bytes of four ints side by side.
  static Bytes join_bytes(Ints b0, Ints b1, Ints b2, Ints b3) {
    const Ints mask = _mm512_set1_epi32(255);
    const Ints low = _mm512_or_si512(_mm512_and_si512(b0, mask), _mm512_slli_epi32(_mm512_and_si512(b1, mask), 8));
    const Ints high = _mm512_or_si512(_mm512_and_si512(b2, mask), _mm512_slli_epi32(b3, 8));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
  }

  // Floats
  static Floats load_floats(const void* p) { return _mm512_loadu_ps(p); }
  static void store_floats(void* p, Floats a) { _mm512_storeu_ps(p, a); }
  static Floats load_f16(const void* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p))); }
  static Floats set1(float v) { return _mm512_set1_ps(v); }
  static Floats zero() { return _mm512_setzero_ps(); }
  static Floats to_float(Ints a) { return _mm512_cvtepi32_ps(a); }
  static Ints round_to_int(Floats a) { return _mm512_cvtps_epi32(a); }  // to nearest even
  static Floats mul(Floats a, Floats b) { return _mm512_mul_ps(a, b); }
  static Floats div(Floats a, Floats b) { return _mm512_div_ps(a, b); }
  static Floats fma(Floats a, Floats b, Floats c) { return _mm512_fmadd_ps(a, b, c); }
  static Floats max(Floats a, Floats b) { return _mm512_max_ps(a, b); }
  static Floats abs(Floats a) { return _mm512_abs_ps(a); }
  // a, with the magnitude raised to `least` where it is less
  static Floats at_least(Floats a, float least) {
    const Floats big = _mm512_max_ps(_mm512_abs_ps(a), set1(least));
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(_mm512_abs_ps(a), set1(least), _CMP_LT_OQ), a, big);
  }
  static bool all_zero(Floats a) { return _mm512_cmp_ps_mask(a, zero(), _CMP_NEQ_UQ) == 0; }
  static Ints float_bits(Floats a) { return _mm512_castps_si512(a); }
  static Floats from_bits(Ints a) { return _mm512_castsi512_ps(a); }

  // The greatest magnitude of 32 values, of which poison becomes NaN if one is not finite.
  static float max_abs32(const float* x, float& poison) {
    const __m512 a = _mm512_loadu_ps(x);
    const __m512 b = _mm512_loadu_ps(x + 16);
    const __m512 zeros = _mm512_fmadd_ps(a, zero(), _mm512_mul_ps(b, zero()));
    if (_mm512_cmp_ps_mask(zeros, zero(), _CMP_NEQ_UQ) != 0) poison = std::numeric_limits<float>::quiet_NaN();
    return _mm512_reduce_max_ps(_mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b)));
  }
  // Four blocks at once, which need nothing of the scalar units: as quantize_vec.h has it, value for value. zeros: 0 as
  // long as all values are finite.
  static void quantize_four(const float* x, bool power_of_two, ActivationBlock* out, Floats& zeros) {
    Floats values[8];
    __m256 greatest[4];
    for (int i = 0; i < 8; ++i) values[i] = _mm512_loadu_ps(x + 16 * i);
    for (int i = 0; i < 4; ++i) {
      zeros = _mm512_fmadd_ps(values[2 * i], zero(), _mm512_fmadd_ps(values[2 * i + 1], zero(), zeros));
      const Floats both = _mm512_max_ps(_mm512_abs_ps(values[2 * i]), _mm512_abs_ps(values[2 * i + 1]));
      greatest[i] = _mm256_max_ps(_mm512_castps512_ps256(both), _mm512_extractf32x8_ps(both, 1));
    }
    __m128 inverse;
    const __m128 scales = four_scales(greatest_of_each(greatest), power_of_two, inverse);
    const Floats inverses = _mm512_broadcast_f32x4(inverse);
    for (int i = 0; i < 4; i += 2) {
      const Floats first = _mm512_permutexvar_ps(_mm512_set1_epi32(i), inverses);
      const Floats second = _mm512_permutexvar_ps(_mm512_set1_epi32(i + 1), inverses);
      // 16-bit pairs, then bytes: lane l of a quarter holds values 4 l … of the four registers, one after another.
      const __m512i a =
          _mm512_packs_epi32(round_product(values[2 * i], first), round_product(values[2 * i + 1], first));
      const __m512i b =
          _mm512_packs_epi32(round_product(values[2 * i + 2], second), round_product(values[2 * i + 3], second));
      const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      const __m512i q = _mm512_permutexvar_epi32(order, _mm512_packs_epi16(a, b));
      store_pair(q, _mm512_permutexvar_ps(_mm512_set1_epi32(i), _mm512_broadcast_f32x4(scales)),
                 _mm512_permutexvar_ps(_mm512_set1_epi32(i + 1), _mm512_broadcast_f32x4(scales)), out + i);
    }
  }

  // q = round(x * inverse) of 16 values; their sum.
  static int32_t quantize16(const float* x, float inverse, int8_t* q) {
    const Ints rounded = round_product(_mm512_loadu_ps(x), _mm512_set1_ps(inverse));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm512_cvtepi32_epi8(rounded));
    return _mm512_reduce_add_epi32(rounded);
  }

 private:
  static Ints round_product(Floats a, Floats b) { return _mm512_cvtps_epi32(_mm512_mul_ps(a, b)); }

  // The greatest of each of four registers.
  static __m128 greatest_of_each(const __m256 (&a)[4]) {
    const __m256 ab = _mm256_max_ps(_mm256_unpacklo_ps(a[0], a[1]), _mm256_unpackhi_ps(a[0], a[1]));
    const __m256 cd = _mm256_max_ps(_mm256_unpacklo_ps(a[2], a[3]), _mm256_unpackhi_ps(a[2], a[3]));
    const __m256 all = _mm256_max_ps(_mm256_castpd_ps(_mm256_unpacklo_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd))),
                                     _mm256_castpd_ps(_mm256_unpackhi_pd(_mm256_castps_pd(ab), _mm256_castps_pd(cd))));
    return _mm_max_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  }

  // power_of_two_scale or best_scale of quantize_vec.h, and what values are multiplied by.
  static __m128 four_scales(__m128 greatest, bool power_of_two, __m128& inverse) {
    __m128 scales = _mm_mul_ps(greatest, _mm_set1_ps(1.0F / 127.0F));
    if (power_of_two) {
      const __m128i up = _mm_add_epi32(_mm_castps_si128(scales), _mm_set1_epi32(0x7fffff));
      const __m128i exponent =
          _mm_min_epu32(_mm_max_epu32(_mm_srli_epi32(up, 23), _mm_set1_epi32(kLeastActivationExponent)),
                        _mm_set1_epi32(kMostActivationExponent));
      scales = _mm_castsi128_ps(_mm_slli_epi32(exponent, 23));
    } else {
      scales = _mm_max_ps(scales, _mm_set1_ps(kLeastActivationScale));
    }
    inverse = _mm_div_ps(_mm_set1_ps(1.0F), scales);
    return scales;
  }

  // Codes of two blocks with their scales (the same in all places), and the sums that the codes have.
  static void store_pair(__m512i q, Floats scale0, Floats scale1, ActivationBlock* out) {
    // Sums of 8 unsigned bytes, added in pairs: each quarter of the register has the sum of half a block, twice.
    const __m512i eights = _mm512_sad_epu8(_mm512_xor_si512(q, _mm512_set1_epi8(-128)), _mm512_setzero_si512());
    const __m512i sixteens = _mm512_add_epi32(eights, _mm512_shuffle_epi32(eights, _MM_PERM_BADC));
    const __m512i half = _mm512_sub_epi32(sixteens, _mm512_set1_epi32(16 * 128));
    store_block(_mm512_castsi512_si256(q), _mm512_castsi512_si256(half), _mm512_castps512_ps256(scale0), out[0]);
    store_block(_mm512_extracti64x4_epi64(q, 1), _mm512_extracti64x4_epi64(half, 1), _mm512_castps512_ps256(scale1),
                out[1]);
  }

  // half: the sum of the first 16 codes in int 0, of the last in int 4.
  static void store_block(__m256i q, __m256i half, __m256 scale, ActivationBlock& out) {
    const __m256i first = _mm256_permutevar8x32_epi32(half, _mm256_setr_epi32(0, 0, 0, 4, 0, 0, 4, 0));
    const __m256i rest = _mm256_permutevar8x32_epi32(half, _mm256_setr_epi32(4, 4, 0, 0, 4, 0, 0, 0));
    const __m256i sums = _mm256_add_epi32(first, _mm256_blend_epi32(rest, _mm256_setzero_si256(), 0b11101100));
    const __m256i offsets = _mm256_slli_epi32(_mm256_sub_epi32(_mm256_setzero_si256(), sums), 7);
    const __m256 products = _mm256_mul_ps(_mm256_cvtepi32_ps(sums), scale);
    __m256 fields = _mm256_blend_ps(products, _mm256_castsi256_ps(offsets), 0b00001110);
    fields = _mm256_blend_ps(fields, scale, 0b00000001);
    fields = _mm256_blend_ps(fields, _mm256_setzero_ps(), 0b10000000);
    _mm256_store_si256(reinterpret_cast<__m256i*>(out.q), q);
    _mm256_store_ps(&out.scale, fields);
  }
};

}  // namespace
}  // namespace smelt
