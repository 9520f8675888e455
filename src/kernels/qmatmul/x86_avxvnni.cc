// qmatmul with AVX-VNNI: AVX2 and its own encoding of the dot product. The code is in the *_vec.h files; this file
// gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx2.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

struct DotAvxVnni {
  static constexpr int kBias = 128;
  static constexpr int kTileTokens = 6;
  static __m256i dot(__m256i sum, __m256i codes, __m256i x) { return _mm256_dpbusd_avx_epi32(sum, codes, x); }
};
using Lanes = Lanes256<DotAvxVnni>;

}  // namespace

extern const QMatmulKernel qmatmul_avxvnni = {Isa::avxvnni, quantize_row<Lanes>, exact_tile<Lanes>,
                                              prefill_tile<Lanes>};

}  // namespace smelt

#endif
