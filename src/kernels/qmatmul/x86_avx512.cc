// qmatmul with AVX-512 where VNNI is missing (Skylake's servers): products of signed bytes by way of 16 bits. The code
// is in the *_vec.h files; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx512.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

// |code| <= 128 times x with the code's sign: two products make at most 2 * 128 * 127, which 16 bits hold.
struct Dot512 {
  static constexpr int kBias = 0;
  static constexpr int kTileGroups = 2, kTileTokens = 4;
  static __m512i dot(__m512i sum, __m512i codes, __m512i x) {
    const __m512i signed_x = _mm512_mask_sub_epi8(x, _mm512_movepi8_mask(codes), _mm512_setzero_si512(), x);
    const __m512i pairs = _mm512_maddubs_epi16(_mm512_abs_epi8(codes), signed_x);
    sum = _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
    // Without this the compiler keeps all products of a block on the stack, to add them as a tree.
    asm("" : "+v"(sum));
    return sum;
  }
};
using Lanes = Lanes512<Dot512>;

}  // namespace

extern const QMatmulKernel qmatmul_avx512 = {Isa::avx512, quantize_row<Lanes>, exact_tile<Lanes>, prefill_tile<Lanes>};

}  // namespace smelt

#endif
