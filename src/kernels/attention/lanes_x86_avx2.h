// Integer products for attention over the q8 cache in 256-bit registers: see lanes_x86_avx512.h.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace smelt {
namespace {

struct Lanes256 {
  static constexpr bool kSignedKeys = false;  // the 128 added to them stays in the products
#if defined(__AVXVNNI__)
  static constexpr int kRows = 6;
  template <bool Bytes>
  struct Operand {
    __m256i x;
  };
  template <bool Bytes>
  static Operand<Bytes> load(const std::byte* p) {
    if constexpr (Bytes) return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)))};
  }
  static __m256i dot(__m256i sum, const Operand<true>& b, __m256i a) { return _mm256_dpbusd_avx_epi32(sum, b.x, a); }
  static __m256i dot(__m256i sum, const Operand<false>& b, __m256i a) { return _mm256_dpwssd_avx_epi32(sum, b.x, a); }
#else
  static constexpr int kRows = 4;
  // Bytes are taken apart into those at even and at odd places, 16 bits each.
  template <bool Bytes>
  struct Operand {
    __m256i x, odd;
  };
  template <bool Bytes>
  static Operand<Bytes> load(const std::byte* p) {
    if constexpr (Bytes) {
      const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
      return {_mm256_and_si256(x, _mm256_set1_epi16(0xFF)), _mm256_srli_epi16(x, 8)};
    }
    return {_mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), _mm256_setzero_si256()};
  }
  static __m256i dot(__m256i sum, const Operand<true>& b, __m256i a) {
    const __m256i even = _mm256_srai_epi16(_mm256_slli_epi16(a, 8), 8);
    const __m256i odd = _mm256_srai_epi16(a, 8);
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(b.x, even));
    return _mm256_add_epi32(sum, _mm256_madd_epi16(b.odd, odd));
  }
  static __m256i dot(__m256i sum, const Operand<false>& b, __m256i a) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(b.x, a));
  }
#endif

  // Eight values of at most 32767, rounded.
  static void store_i16(int16_t* p, __m256 a) {
    const __m256i whole = _mm256_cvtps_epi32(a);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), half);
  }
};

}  // namespace
}  // namespace smelt
