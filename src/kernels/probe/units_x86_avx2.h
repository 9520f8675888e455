// Registers of 256 bits for the probe: AVX2, and AVX-VNNI.
#pragma once

#include <immintrin.h>

#include <cstdint>

namespace smelt {
namespace {

struct Ints256 {
  using Register = __m256i;
  static constexpr int kSums = 12, kProducts = 32;
  static Register zero() { return _mm256_setzero_si256(); }
  static Register ones() { return _mm256_set1_epi8(1); }
  static void hide(Register& x) { asm volatile("" : "+x"(x)); }
  static double total(Register x) {
    alignas(32) int32_t lanes[8];
    _mm256_store_si256(reinterpret_cast<Register*>(lanes), x);
    double sum = 0;
    for (const int32_t lane : lanes) sum += lane;
    return sum;
  }
};

// Three instructions for 32 products, as qmatmul has to do it where there is no dot product.
struct Int8Avx2 : Ints256 {
  static Register step(Register sum, Register a, Register b) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1)));
  }
};

struct F32Avx2 {
  using Register = __m256;
  static constexpr int kSums = 12, kProducts = 8;
  static Register zero() { return _mm256_setzero_ps(); }
  static Register ones() { return _mm256_set1_ps(1); }
  static void hide(Register& x) { asm volatile("" : "+x"(x)); }
  static Register step(Register sum, Register a, Register b) { return _mm256_fmadd_ps(a, b, sum); }
  static double total(Register x) {
    alignas(32) float lanes[8];
    _mm256_store_ps(lanes, x);
    double sum = 0;
    for (const float lane : lanes) sum += static_cast<double>(lane);
    return sum;
  }
};

struct Words256 {
  using Register = __m256i;
  static constexpr uint64_t kWords = 4;
  static Register zero() { return _mm256_setzero_si256(); }
  static Register load(const std::byte* p) { return _mm256_load_si256(reinterpret_cast<const Register*>(p)); }
  static Register exclusive_or(Register a, Register b) { return _mm256_xor_si256(a, b); }
  static uint64_t fold(Register x) {
    alignas(32) uint64_t words[4];
    _mm256_store_si256(reinterpret_cast<Register*>(words), x);
    return words[0] ^ words[1] ^ words[2] ^ words[3];
  }
};

}  // namespace
}  // namespace smelt
