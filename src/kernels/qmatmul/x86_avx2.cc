// qmatmul with AVX2: products of signed bytes by way of 16 bits. The code is in the *_vec.h files; this file gives it
// its registers and flags.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx2.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

// |code| <= 128 times x with the code's sign: two products make at most 2 * 128 * 127, which 16 bits hold.
struct DotAvx2 {
  static constexpr int kBias = 0;
  static constexpr int kTileTokens = 4;
  static __m256i dot(__m256i sum, __m256i codes, __m256i x) {
    const __m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(codes), _mm256_sign_epi8(x, codes));
    sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
    // Without this the compiler keeps all products of a block on the stack, to add them as a tree.
    asm("" : "+v"(sum));
    return sum;
  }
};
using Lanes = Lanes256<DotAvx2>;

}  // namespace

extern const QMatmulKernel qmatmul_avx2 = {Isa::avx2, quantize_row<Lanes>, exact_tile<Lanes>, prefill_tile<Lanes>};

}  // namespace smelt

#endif
