// qmatmul with Arm's int8 matrix extension: its mixed dot product, which takes codes as unsigned as they are stored,
// and for long prompts its products of matrices. The code is in the *_vec.h and matrix_*.h files; this file gives it
// its registers and flags.
#if defined(__aarch64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_arm_neon.h"
#include "kernels/qmatmul/matrix_arm_i8mm.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

struct DotUsdot {
  static constexpr int kBias = 128;
  static int32x4_t dot(int32x4_t sum, uint8x16_t codes, uint8x16_t x) {
    return vusdotq_s32(sum, codes, vreinterpretq_s8_u8(x));
  }
};
using Lanes = LanesNeon<DotUsdot>;

}  // namespace

extern const QMatmulKernel qmatmul_i8mm = {Isa::i8mm, quantize_row<Lanes>, exact_tile<Lanes>,
                                           prefill_tile<Lanes, MatrixTiles<Lanes>>};

}  // namespace smelt

#endif
