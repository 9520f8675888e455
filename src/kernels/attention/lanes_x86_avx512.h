// Integer products for attention over the q8 cache in 512-bit registers; with VNNI instructions where the file that
// includes this is compiled for them.
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

struct Lanes512 {
  static constexpr bool kSignedKeys = false;  // the 128 added to them stays in the products
  static constexpr int kRows = 6;

#if defined(__AVX512VNNI__)
  template <bool Bytes>
  struct Operand {
    __m512i x;
  };
  template <bool Bytes>
  static Operand<Bytes> load(const std::byte* p) {
    if constexpr (Bytes) return {_mm512_loadu_si512(p)};
    return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
  // Not the intrinsics: g++ 12 copies each sum to another register and back around them.
  static __m512i dot(__m512i sum, const Operand<true>& b, __m512i a) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(b.x), "v"(a));
    return sum;
  }
  static __m512i dot(__m512i sum, const Operand<false>& b, __m512i a) {
    asm("vpdpwssd %2, %1, %0" : "+v"(sum) : "v"(b.x), "v"(a));
    return sum;
  }
#else
  // Bytes are taken apart into those at even and at odd places, 16 bits each.
  template <bool Bytes>
  struct Operand {
    __m512i x, odd;
  };
  template <bool Bytes>
  static Operand<Bytes> load(const std::byte* p) {
    if constexpr (Bytes) {
      const __m512i x = _mm512_loadu_si512(p);
      return {_mm512_and_si512(x, _mm512_set1_epi16(0xFF)), _mm512_srli_epi16(x, 8)};
    }
    return {_mm512_cvtepi8_epi16(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), _mm512_setzero_si512()};
  }
  static __m512i dot(__m512i sum, const Operand<true>& b, __m512i a) {
    const __m512i even = _mm512_srai_epi16(_mm512_slli_epi16(a, 8), 8);
    const __m512i odd = _mm512_srai_epi16(a, 8);
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(b.x, even));
    return _mm512_add_epi32(sum, _mm512_madd_epi16(b.odd, odd));
  }
  static __m512i dot(__m512i sum, const Operand<false>& b, __m512i a) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(b.x, a));
  }
#endif

  // Sixteen values of at most 32767, rounded.
  static void store_i16(int16_t* p, __m512 a) {
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(a)));
  }
};

}  // namespace
}  // namespace smelt
