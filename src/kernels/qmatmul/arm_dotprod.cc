// qmatmul with Arm's dot product. The code is in the *_vec.h files; this file gives it its registers and flags.
#if defined(__aarch64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_arm_neon.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

struct DotSdot {
  static constexpr int kBias = 0;
  static int32x4_t dot(int32x4_t sum, uint8x16_t codes, uint8x16_t x) {
    return vdotq_s32(sum, vreinterpretq_s8_u8(codes), vreinterpretq_s8_u8(x));
  }
};
using Lanes = LanesNeon<DotSdot>;

}  // namespace

extern const QMatmulKernel qmatmul_dotprod = {Isa::dotprod, quantize_row<Lanes>, exact_tile<Lanes>,
                                              prefill_tile<Lanes>};

}  // namespace smelt

#endif
