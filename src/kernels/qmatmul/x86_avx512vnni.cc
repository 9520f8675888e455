// qmatmul with AVX-512 VNNI. The code is in the *_vec.h files; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx512.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

struct Dot512Vnni {
  static constexpr int kBias = 128;
  // 4 x 3 sums as ints and as floats, 4 weights and an activation of 32 registers
  static constexpr int kTileGroups = 4, kTileTokens = 3;
  static __m512i dot(__m512i sum, __m512i codes, __m512i x) { return _mm512_dpbusd_epi32(sum, codes, x); }
};
using Lanes = Lanes512<Dot512Vnni>;

}  // namespace

extern const QMatmulKernel qmatmul_avx512vnni = {Isa::avx512vnni, quantize_row<Lanes>, exact_tile<Lanes>,
                                                 prefill_tile<Lanes>};

}  // namespace smelt

#endif
