// Attention steps with AVX-512. The code is in attention_vec.h and int8_vec.h; this file gives
// it its registers and flags.
#if defined(__x86_64__)

#include "kernels/attention/int8_vec.h"
#include "kernels/attention/lanes_x86_avx512.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {

using Ops = Attention<Avx512>;
using Rotation = Hadamard<Avx512>;
extern const AttentionKernel attention_avx512 = {.isa = Isa::avx512,
                                                 .f32 = Ops::kF32,
                                                 .f16 = Ops::kF16,
                                                 .f16_prefill = Ops::kF16,
                                                 .q8 = Int8Attention<Avx512, Lanes512>::kQ8,
                                                 .to_f16 = Ops::to_f16,
                                                 .quantize = Rotation::quantize,
                                                 .rotate = Rotation::rotate};

}  // namespace smelt

#endif
