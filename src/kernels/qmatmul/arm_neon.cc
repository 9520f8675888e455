// qmatmul with the Advanced SIMD of every 64-bit Arm: products of signed bytes by way of 16 bits. The code is in the
// *_vec.h files; this file gives it its registers and flags.
#if defined(__aarch64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_arm_neon.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {
namespace {

// Two products make at most 2 * 128 * 127, which 16 bits hold.
struct DotNeon {
  static constexpr int kBias = 0;
  static int32x4_t dot(int32x4_t sum, uint8x16_t codes, uint8x16_t x) {
    const int8x16_t w = vreinterpretq_s8_u8(codes);
    const int8x16_t v = vreinterpretq_s8_u8(x);
    const int16x8_t low = vmull_s8(vget_low_s8(w), vget_low_s8(v));
    const int16x8_t high = vmull_high_s8(w, v);
    return vpadalq_s16(sum, vpaddq_s16(low, high));
  }
};
using Lanes = LanesNeon<DotNeon>;

}  // namespace

extern const QMatmulKernel qmatmul_neon = {Isa::neon, quantize_row<Lanes>, exact_tile<Lanes>, prefill_tile<Lanes>};

}  // namespace smelt

#endif
