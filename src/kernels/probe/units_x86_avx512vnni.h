// What the probe measures where AVX-512 has VNNI and BF16.
#pragma once

#include "kernels/probe/units_x86_avx512.h"

namespace smelt {
namespace {

struct Int8Vnni : Ints512 {
  static Register step(Register sum, Register a, Register b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

struct Bf16Dot : F32Avx512 {
  static constexpr int kProducts = 32;
  // Two bf16 ones in each lane of 32 bits.
  static Register ones() { return _mm512_castsi512_ps(_mm512_set1_epi32(0x3f803f80)); }
  static Register step(Register sum, Register a, Register b) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
};

}  // namespace
}  // namespace smelt
