// The vocabulary of the qmatmul templates (lanes_portable.h says what its words mean) with AVX2: two registers stand
// for 16 rows, eight each. Dot is the dot product that the instruction set has, and says by kBias whether it takes
// codes unsigned or signed (codecs_vec.h). Everything is in an unnamed namespace on purpose: see vec_x86_avx2.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace smelt {
namespace {

struct Pair256i {
  __m256i a, b;
};
struct Pair256 {
  __m256 a, b;
};

template <class Dot>
struct Lanes256 {
  using Bytes = Pair256i;
  using Ints = Pair256i;
  using Floats = Pair256;
  static constexpr int kBias = Dot::kBias;
  // Sums as ints are kept in registers; those as floats are needed once in 32 inputs and may wait on the stack.
  static constexpr int kTileGroups = 1, kTileTokens = Dot::kTileTokens;
  static constexpr bool kManyRegisters = false;  // for the codes of a block beside the sums of 8 tokens

  static __m256i load256(const void* p, int i) { return _mm256_loadu_si256(static_cast<const __m256i*>(p) + i); }
  static Pair256i twice(__m256i a) { return {a, a}; }

  // Not by the intrinsic: g++ 12 drops loops that do nothing else.
  static void prefetch(const void* p) { asm volatile("prefetcht1 %0" : : "m"(*static_cast<const char*>(p))); }
  static void prefetch_second(const void* p) { prefetch(p); }
  static void prefetch_once(const void* p) { prefetch(p); }

  // Bytes: codes.
  static Bytes load(const void* p) { return {load256(p, 0), load256(p, 1)}; }
  static void store(void* p, Bytes v) {
    _mm256_storeu_si256(static_cast<__m256i*>(p), v.a);
    _mm256_storeu_si256(static_cast<__m256i*>(p) + 1, v.b);
  }
  // Keeps the compiler from loading a value anew at each use.
  static Bytes in_register(Bytes v) {
    asm("" : "+v"(v.a), "+v"(v.b));
    return v;
  }
  static Bytes broadcast4(const void* p) { return broadcast_int(p); }
  template <int n>
  static Bytes bits(Bytes v, int mask) {
    const __m256i m = _mm256_set1_epi8(static_cast<char>(mask));
    if constexpr (n == 0) return {_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
    return {_mm256_and_si256(_mm256_srli_epi16(v.a, n), m), _mm256_and_si256(_mm256_srli_epi16(v.b, n), m)};
  }
  template <int n>
  static Bytes or_shifted(Bytes v, Bytes small) {
    if constexpr (n == 0) return or_int(v, small);
    return or_int(v, {_mm256_slli_epi16(small.a, n), _mm256_slli_epi16(small.b, n)});
  }
  static Bytes add_bytes(Bytes v, int n) {
    const __m256i each = _mm256_set1_epi8(static_cast<char>(n));
    return {_mm256_add_epi8(v.a, each), _mm256_add_epi8(v.b, each)};
  }
  static Bytes lookup(const uint8_t* table16, Bytes index) {
    const __m256i table = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(table16)));
    return {_mm256_shuffle_epi8(table, index.a), _mm256_shuffle_epi8(table, index.b)};
  }
  template <int n>
  static Bytes spread_bits(Ints words) {
    const Ints four = int_bits<n>(words, 15);
    const __m256i spread = _mm256_set1_epi32(0x00204081);
    return int_bits<0>({_mm256_mullo_epi32(four.a, spread), _mm256_mullo_epi32(four.b, spread)}, 0x01010101);
  }
  static Ints dot(Ints sum, Bytes codes, Bytes x) {
    return {Dot::dot(sum.a, codes.a, x.a), Dot::dot(sum.b, codes.b, x.b)};
  }

  // Ints
  static Ints load_ints(const void* p) { return load(p); }
  static void store_ints(void* p, Ints v) { store(p, v); }
  static Ints load_u8(const void* p) { return {_mm256_cvtepu8_epi32(eight(p, 0)), _mm256_cvtepu8_epi32(eight(p, 8))}; }
  static Ints load_i8(const void* p) { return {_mm256_cvtepi8_epi32(eight(p, 0)), _mm256_cvtepi8_epi32(eight(p, 8))}; }
  static Ints load_u16(const void* p) {
    const auto* half = static_cast<const __m128i*>(p);
    return {_mm256_cvtepu16_epi32(_mm_loadu_si128(half)), _mm256_cvtepu16_epi32(_mm_loadu_si128(half + 1))};
  }
  static Ints set1_int(int32_t v) { return twice(_mm256_set1_epi32(v)); }
  static Ints broadcast_int(const void* p) {
    int32_t v = 0;
    std::memcpy(&v, p, sizeof(v));
    return set1_int(v);
  }
  template <int n>
  static Ints int_bits(Ints v, int mask) {
    const __m256i m = _mm256_set1_epi32(mask);
    if constexpr (n == 0) return {_mm256_and_si256(v.a, m), _mm256_and_si256(v.b, m)};
    return {_mm256_and_si256(_mm256_srli_epi32(v.a, n), m), _mm256_and_si256(_mm256_srli_epi32(v.b, n), m)};
  }
  template <int n>
  static Ints or_int_shifted(Ints v, Ints small) {
    return or_int(v, shift_left<n>(small));
  }
  // Byte n of each lane, as signed as the codes are.
  template <int n>
  static Ints byte(Bytes v) {
    if constexpr (kBias != 0) return int_bits<8 * n>(v, 255);
    const Ints high = shift_left<24 - 8 * n>(v);
    return {_mm256_srai_epi32(high.a, 24), _mm256_srai_epi32(high.b, 24)};
  }
  static Ints add_int(Ints v, Ints w) { return {_mm256_add_epi32(v.a, w.a), _mm256_add_epi32(v.b, w.b)}; }
  static Bytes join_bytes(Ints b0, Ints b1, Ints b2, Ints b3) {
    const Ints low = or_int_shifted<8>(int_bits<0>(b0, 255), int_bits<0>(b1, 255));
    const Ints high = or_int_shifted<8>(int_bits<0>(b2, 255), b3);
    return or_int_shifted<16>(low, high);
  }

  // Floats
  static Floats load_floats(const void* p) {
    const auto* floats = static_cast<const float*>(p);
    return {_mm256_loadu_ps(floats), _mm256_loadu_ps(floats + 8)};
  }
  static void store_floats(void* p, Floats v) {
    auto* floats = static_cast<float*>(p);
    _mm256_storeu_ps(floats, v.a);
    _mm256_storeu_ps(floats + 8, v.b);
  }
  static Floats load_f16(const void* p) {
    const auto* half = static_cast<const __m128i*>(p);
    return {_mm256_cvtph_ps(_mm_loadu_si128(half)), _mm256_cvtph_ps(_mm_loadu_si128(half + 1))};
  }
  static Floats set1(float v) { return {_mm256_set1_ps(v), _mm256_set1_ps(v)}; }
  static Floats zero() { return {_mm256_setzero_ps(), _mm256_setzero_ps()}; }
  static Floats to_float(Ints v) { return {_mm256_cvtepi32_ps(v.a), _mm256_cvtepi32_ps(v.b)}; }
  static Ints round_to_int(Floats v) { return {_mm256_cvtps_epi32(v.a), _mm256_cvtps_epi32(v.b)}; }
  static Floats mul(Floats v, Floats w) { return {_mm256_mul_ps(v.a, w.a), _mm256_mul_ps(v.b, w.b)}; }
  static Floats div(Floats v, Floats w) { return {_mm256_div_ps(v.a, w.a), _mm256_div_ps(v.b, w.b)}; }
  static Floats fma(Floats v, Floats w, Floats s) {
    return {_mm256_fmadd_ps(v.a, w.a, s.a), _mm256_fmadd_ps(v.b, w.b, s.b)};
  }
  static Floats max(Floats v, Floats w) { return {_mm256_max_ps(v.a, w.a), _mm256_max_ps(v.b, w.b)}; }
  static Floats abs(Floats v) { return {abs256(v.a), abs256(v.b)}; }
  static Floats at_least(Floats v, float least) { return {at_least256(v.a, least), at_least256(v.b, least)}; }
  static bool all_zero(Floats v) { return _mm256_movemask_ps(_mm256_or_ps(not_zero(v.a), not_zero(v.b))) == 0; }
  static Ints float_bits(Floats v) { return {_mm256_castps_si256(v.a), _mm256_castps_si256(v.b)}; }
  static Floats from_bits(Ints v) { return {_mm256_castsi256_ps(v.a), _mm256_castsi256_ps(v.b)}; }

  // The greatest magnitude of 32 values, of which poison becomes NaN if one is not finite.
  static float max_abs32(const float* x, float& poison) {
    const Floats v = load_floats(x);
    const Floats w = load_floats(x + 16);
    if (!all_zero(fma(v, zero(), mul(w, zero())))) poison = std::numeric_limits<float>::quiet_NaN();
    const Floats both = max(abs(v), abs(w));
    const __m256 eight = _mm256_max_ps(both.a, both.b);
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
  }
  // q = round(x * inverse) of 16 values; returns their sum.
  static int32_t quantize16(const float* x, float inverse, int8_t* q) {
    const Ints v = round_to_int(mul(load_floats(x), set1(inverse)));
    // The packing works within halves of a register; the permutation puts the order right.
    const __m256i words = _mm256_permute4x64_epi64(_mm256_packs_epi32(v.a, v.b), 0b11011000);
    const __m128i bytes = _mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), bytes);
    const __m256i pairs = _mm256_madd_epi16(_mm256_cvtepi8_epi16(bytes), _mm256_set1_epi16(1));
    __m128i sums = _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
    sums = _mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b01001110));
    return _mm_cvtsi128_si32(_mm_add_epi32(sums, _mm_shuffle_epi32(sums, 0b10110001)));
  }

 private:
  static __m128i eight(const void* p, int at) {
    return _mm_loadl_epi64(reinterpret_cast<const __m128i*>(static_cast<const uint8_t*>(p) + at));
  }
  static Ints or_int(Ints v, Ints w) { return {_mm256_or_si256(v.a, w.a), _mm256_or_si256(v.b, w.b)}; }
  template <int n>
  static Ints shift_left(Ints v) {
    if constexpr (n == 0) return v;
    return {_mm256_slli_epi32(v.a, n), _mm256_slli_epi32(v.b, n)};
  }
  static __m256 abs256(__m256 v) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0F), v); }
  static __m256 at_least256(__m256 v, float least) {
    const __m256 bound = _mm256_set1_ps(least);
    return _mm256_blendv_ps(v, bound, _mm256_cmp_ps(abs256(v), bound, _CMP_LT_OQ));
  }
  static __m256 not_zero(__m256 v) { return _mm256_cmp_ps(v, _mm256_setzero_ps(), _CMP_NEQ_UQ); }
};

}  // namespace
}  // namespace smelt
