// Attention steps with AVX-512. The code is in attention_vec.h; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/attention/attention_vec.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {

using Ops = Attention<Avx512>;
extern const AttentionKernel attention_avx512 = {Isa::avx512, Ops::scores, Ops::mix, Ops::store_f16};

}  // namespace smelt

#endif
