// Registers of 512 bits for the probe.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace smelt {
namespace {

struct Ints512 {
  using Register = __m512i;
  static constexpr int kSums = 16, kProducts = 64;
  static Register zero() { return _mm512_setzero_si512(); }
  static Register ones() { return _mm512_set1_epi8(1); }
  static void hide(Register& x) { asm volatile("" : "+v"(x)); }
  static double total(Register x) {
    alignas(64) int32_t lanes[16];
    _mm512_store_si512(lanes, x);
    double sum = 0;
    for (const int32_t lane : lanes) sum += lane;
    return sum;
  }
};

// Three instructions for 64 products, as qmatmul has to do it where there is no dot product.
struct Int8Avx512 : Ints512 {
  static Register step(Register sum, Register a, Register b) {
    return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_maddubs_epi16(a, b), _mm512_set1_epi16(1)));
  }
};

struct F32Avx512 {
  using Register = __m512;
  static constexpr int kSums = 16, kProducts = 16;
  static Register zero() { return _mm512_setzero_ps(); }
  static Register ones() { return _mm512_set1_ps(1); }
  static void hide(Register& x) { asm volatile("" : "+v"(x)); }
  static Register step(Register sum, Register a, Register b) { return _mm512_fmadd_ps(a, b, sum); }
  static double total(Register x) {
    alignas(64) float lanes[16];
    _mm512_store_ps(lanes, x);
    double sum = 0;
    for (const float lane : lanes) sum += static_cast<double>(lane);
    return sum;
  }
};

struct Words512 {
  using Register = __m512i;
  static constexpr uint64_t kWords = 8;
  static Register zero() { return _mm512_setzero_si512(); }
  static Register load(const std::byte* p) { return _mm512_load_si512(p); }
  static Register exclusive_or(Register a, Register b) { return _mm512_xor_si512(a, b); }
  static uint64_t fold(Register x) {
    alignas(64) uint64_t words[8];
    _mm512_store_si512(words, x);
    uint64_t folded = 0;
    for (const uint64_t word : words) folded ^= word;
    return folded;
  }
};

}  // namespace
}  // namespace smelt
