// Attention steps with AVX2, FMA, F16C and AVX-VNNI. The code is in attention_vec.h and int8_vec.h; this file gives
// it its registers and flags.
#if defined(__x86_64__)

#include "kernels/attention/int8_vec.h"
#include "kernels/attention/lanes_x86_avx2.h"
#include "kernels/vec_x86_avx2.h"

namespace smelt {

using Ops = Attention<Avx2>;
using Rotation = Hadamard<Avx2>;
extern const AttentionKernel attention_avxvnni = {.isa = Isa::avxvnni,
                                                  .f32 = Ops::kF32,
                                                  .f16 = Ops::kF16,
                                                  .f16_prefill = Ops::kF16,
                                                  .q8 = Int8Attention<Avx2, Lanes256>::kQ8,
                                                  .to_f16 = Ops::to_f16,
                                                  .quantize = Rotation::quantize,
                                                  .rotate = Rotation::rotate};

}  // namespace smelt

#endif
