// Attention steps with Arm's Advanced SIMD and its dot product. The code is in attention_vec.h and int8_vec.h; this
// file gives it its registers and flags.
#if defined(__aarch64__)

#include "kernels/attention/int8_vec.h"
#include "kernels/attention/lanes_arm_neon.h"
#include "kernels/vec_arm_neon.h"

namespace smelt {

using Ops = Attention<Neon>;
using Rotation = Hadamard<Neon>;
extern const AttentionKernel attention_dotprod = {.isa = Isa::dotprod,
                                                  .f32 = Ops::kF32,
                                                  .f16 = Ops::kF16,
                                                  .f16_prefill = Ops::kF16,
                                                  .q8 = Int8Attention<Neon, LanesNeon>::kQ8,
                                                  .to_f16 = Ops::to_f16,
                                                  .quantize = Rotation::quantize,
                                                  .rotate = Rotation::rotate};

}  // namespace smelt

#endif
