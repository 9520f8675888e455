// Sixteen f32 lanes with AVX-512 (F, BW, VL, DQ): see vec_x86_avx2.h, whose vocabulary this repeats.
#pragma once

// g++ 12 takes the deliberately undefined registers inside its own header for mistakes (its bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace smelt {
namespace {

struct Avx512 {
  using F = __m512;
  using I = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kTileRows = 8;  // 8 x 3 accumulators and 3 activations of 32 registers

  static F zero() { return _mm512_setzero_ps(); }
  static F set1(float v) { return _mm512_set1_ps(v); }
  static F add(F a, F b) { return _mm512_add_ps(a, b); }
  static F sub(F a, F b) { return _mm512_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm512_mul_ps(a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F max(F a, F b) { return _mm512_max_ps(a, b); }
  static F min(F a, F b) { return _mm512_min_ps(a, b); }
  static F round(F a) { return _mm512_roundscale_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F zero_below(F a, F x, float limit) {
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(x, set1(limit), _CMP_NLT_UQ), a);
  }
  static F exp2_int(F n) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23));
  }

  static float sum(F a) { return sum8(_mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps(a, 1))); }
  static float max_lane(F a) { return _mm512_reduce_max_ps(a); }
  template <int step>
  static F butterfly(F a) {
    const __m512i bits =
        _mm512_and_si512(_mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0), set1_int(step));
    const F signs = _mm512_mask_blend_ps(_mm512_test_epi32_mask(bits, bits), set1(1), set1(-1));
    return fma(a, signs, partners<step>(a));
  }

  static F load(const void* p) { return _mm512_loadu_ps(p); }
  static void store(void* p, F a) { _mm512_storeu_ps(p, a); }
  static F load_n(const void* p, int64_t n) { return _mm512_maskz_loadu_ps(mask(n), p); }
  static void store_n(void* p, F a, int64_t n) { _mm512_mask_storeu_ps(p, mask(n), a); }

  static F load_f16(const void* p) { return _mm512_cvtph_ps(_mm256_loadu_si256(static_cast<const __m256i*>(p))); }
  static F load_f16_n(const void* p, int64_t n) { return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask(n), p)); }
  static void store_f16(void* p, F a) { _mm256_storeu_si256(static_cast<__m256i*>(p), to_f16(a)); }
  static void store_f16_n(void* p, F a, int64_t n) { _mm256_mask_storeu_epi16(p, mask(n), to_f16(a)); }
  static F load_bf16(const void* p) { return from_bf16(_mm256_loadu_si256(static_cast<const __m256i*>(p))); }
  static F load_bf16_n(const void* p, int64_t n) { return from_bf16(_mm256_maskz_loadu_epi16(mask(n), p)); }

  static I load_u8(const void* p) { return _mm512_cvtepu8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static I load_i8(const void* p) { return _mm512_cvtepi8_epi32(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static I set1_int(int v) { return _mm512_set1_epi32(v); }
  static I shift_right(I a, int n) { return _mm512_srl_epi32(a, _mm_cvtsi32_si128(n)); }
  static I shift_left(I a, int n) { return _mm512_sll_epi32(a, _mm_cvtsi32_si128(n)); }
  static I and_int(I a, int v) { return _mm512_and_si512(a, set1_int(v)); }
  static I or_int(I a, I b) { return _mm512_or_si512(a, b); }
  static I sub_int(I a, int v) { return _mm512_sub_epi32(a, set1_int(v)); }
  static F to_float(I a) { return _mm512_cvtepi32_ps(a); }
  static float f16_scalar(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }

 private:
  template <int step>
  static F partners(F a) {
    if constexpr (step == 1) return _mm512_permute_ps(a, 0xB1);
    if constexpr (step == 2) return _mm512_permute_ps(a, 0x4E);
    if constexpr (step == 4) return _mm512_shuffle_f32x4(a, a, 0xB1);
    return _mm512_shuffle_f32x4(a, a, 0x4E);
  }
  static __mmask16 mask(int64_t n) { return static_cast<__mmask16>((1U << n) - 1U); }
  static float sum8(__m256 a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  static __m256i to_f16(F a) { return _mm512_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F from_bf16(__m256i a) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(a), 16)); }
};

}  // namespace
}  // namespace smelt
