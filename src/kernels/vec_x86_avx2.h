// Eight f32 lanes with AVX2, FMA and F16C: the vocabulary in which the x86_avx2.cc files instantiate the shared kernel
// templates (matmul/tile_vec.h, …). Everything is in an unnamed namespace on purpose: code compiled with these flags
// must never be merged by the linker with a copy that other files call on machines without AVX2.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace smelt {
namespace {

struct Avx2 {
  using F = __m256;
  using I = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kTileRows = 4;  // 4 x 3 accumulators, 3 activations and 1 weight fill the 16 registers

  static F zero() { return _mm256_setzero_ps(); }
  static F set1(float v) { return _mm256_set1_ps(v); }
  static F add(F a, F b) { return _mm256_add_ps(a, b); }
  static F sub(F a, F b) { return _mm256_sub_ps(a, b); }
  static F mul(F a, F b) { return _mm256_mul_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
  // b where either is NaN.
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static F round(F a) { return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  // a where x < limit is false, else 0.
  static F zero_below(F a, F x, float limit) { return _mm256_andnot_ps(_mm256_cmp_ps(x, set1(limit), _CMP_LT_OQ), a); }
  // 2^n for whole n in [-126, 127].
  static F exp2_int(F n) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
  }

  static float sum(F a) {
    __m128 s = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_add_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
  }
  // Pairs of lanes (a, b) that are `step` apart become (a + b, a - b).
  template <int step>
  static F butterfly(F a) {
    const I lanes = _mm256_and_si256(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), set1_int(step));
    const I sign = _mm256_slli_epi32(_mm256_cmpeq_epi32(lanes, set1_int(step)), 31);
    return add(_mm256_xor_ps(a, _mm256_castsi256_ps(sign)), partners<step>(a));
  }
  static float max_lane(F a) {
    __m128 s = _mm_max_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1));
    s = _mm_max_ps(s, _mm_movehl_ps(s, s));
    return _mm_cvtss_f32(_mm_max_ss(s, _mm_movehdup_ps(s)));
  }

  static F load(const void* p) { return _mm256_loadu_ps(static_cast<const float*>(p)); }
  static void store(void* p, F a) { _mm256_storeu_ps(static_cast<float*>(p), a); }
  // The first n < 8 lanes; the rest is zero.
  static F load_n(const void* p, int64_t n) { return _mm256_maskload_ps(static_cast<const float*>(p), mask(n)); }
  static void store_n(void* p, F a, int64_t n) { _mm256_maskstore_ps(static_cast<float*>(p), mask(n), a); }

  static F load_f16(const void* p) { return _mm256_cvtph_ps(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static F load_f16_n(const void* p, int64_t n) { return _mm256_cvtph_ps(load_u16_n(p, n)); }
  static void store_f16(void* p, F a) { _mm_storeu_si128(static_cast<__m128i*>(p), to_f16(a)); }
  static void store_f16_n(void* p, F a, int64_t n) {
    const __m128i half = to_f16(a);
    std::memcpy(p, &half, static_cast<size_t>(n) * 2);
  }
  static F load_bf16(const void* p) { return from_bf16(_mm_loadu_si128(static_cast<const __m128i*>(p))); }
  static F load_bf16_n(const void* p, int64_t n) { return from_bf16(load_u16_n(p, n)); }

  // Integer lanes, for unpacking quantized blocks.
  static I load_u8(const void* p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))); }
  static I load_i8(const void* p) { return _mm256_cvtepi8_epi32(_mm_loadl_epi64(static_cast<const __m128i*>(p))); }
  static I set1_int(int v) { return _mm256_set1_epi32(v); }
  static I shift_right(I a, int n) { return _mm256_srl_epi32(a, _mm_cvtsi32_si128(n)); }
  static I shift_left(I a, int n) { return _mm256_sll_epi32(a, _mm_cvtsi32_si128(n)); }
  static I and_int(I a, int v) { return _mm256_and_si256(a, set1_int(v)); }
  static I or_int(I a, I b) { return _mm256_or_si256(a, b); }
  static I sub_int(I a, int v) { return _mm256_sub_epi32(a, set1_int(v)); }
  static F to_float(I a) { return _mm256_cvtepi32_ps(a); }
  static float f16_scalar(uint16_t half) { return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(half))); }

 private:
  template <int step>
  static F partners(F a) {
    if constexpr (step == 1) return _mm256_permute_ps(a, 0xB1);
    if constexpr (step == 2) return _mm256_permute_ps(a, 0x4E);
    return _mm256_permute2f128_ps(a, a, 0x01);
  }
  static __m256i mask(int64_t n) {
    const __m256i lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)), lanes);
  }
  static __m128i load_u16_n(const void* p, int64_t n) {
    __m128i out = _mm_setzero_si128();
    std::memcpy(&out, p, static_cast<size_t>(n) * 2);
    return out;
  }
  static __m128i to_f16(F a) { return _mm256_cvtps_ph(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
  static F from_bf16(__m128i a) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(a), 16)); }
};

}  // namespace
}  // namespace smelt
