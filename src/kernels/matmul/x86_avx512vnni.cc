// matmul with AVX-512 and its bf16 products. The code is in tile_vec.h, decode_vec.h and bf16_vec.h; this file gives it
// its registers and flags.
#if defined(__x86_64__)

#include "kernels/matmul/bf16_vec.h"
#include "kernels/matmul/decode_vec.h"
#include "kernels/matmul/tile_vec.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {
namespace {

struct Bf16Products {
  using Pairs = __m512bh;
  using Sums = __m512;
  static constexpr int64_t kValues = 32;
  static constexpr int kTileRows = 8;  // 8 x 3 sums and 3 activations of 32 registers

  static Sums zero() { return _mm512_setzero_ps(); }
  // The first n <= 32 values; the rest is zero.
  static Pairs load(const void* p, int64_t n) {
    const __mmask32 mask = n == kValues ? ~__mmask32{0} : (__mmask32{1} << n) - 1;
    return reinterpret_cast<Pairs>(_mm512_maskz_loadu_epi16(mask, p));
  }
  static Sums add_products(Sums sum, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sum, a, b); }
  static float sum(Sums a) { return Avx512::sum(a); }
};

void round_to_bf16(const float* in, int64_t n, uint16_t* out) {
  for (int64_t i = 0; i < n; i += 16) {
    const auto mask = static_cast<__mmask16>(n - i < 16 ? (1U << (n - i)) - 1U : 0xffffU);
    const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_maskz_loadu_ps(mask, in + i));
    _mm256_mask_storeu_epi16(out + i, mask, reinterpret_cast<__m256i>(rounded));
  }
}

}  // namespace

extern const MatmulKernel matmul_avx512vnni = {.isa = Isa::avx512vnni,
                                               .tile = run_tile<Avx512>,
                                               .find_decoder = BlockDecoder<Avx512>::find,
                                               .bf16_tile = run_bf16_tile<Bf16Products>,
                                               .round_to_bf16 = round_to_bf16};

}  // namespace smelt

#endif
