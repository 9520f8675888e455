// qmatmul with AVX-512 VNNI in registers of 256 bits: the source of x86_avxvnni.cc in another encoding, for processors
// with VNNI but without the later parts of AVX-512, and to test that source where AVX-VNNI is missing.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx2.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

struct Dot256Vnni {
  static constexpr int kBias = 128;
  static constexpr int kTileTokens = 6;
  static __m256i dot(__m256i sum, __m256i codes, __m256i x) { return _mm256_dpbusd_epi32(sum, codes, x); }
};
using Lanes = Lanes256<Dot256Vnni>;

}  // namespace

extern const QMatmulKernel qmatmul_avx512vl_vnni = {Isa::avx512vl_vnni, quantize_row<Lanes>, exact_tile<Lanes>,
                                                    prefill_tile<Lanes>};

}  // namespace smelt

#endif
