// Row-wise operations with AVX-512. The code is in elementwise_vec.h; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/elementwise/elementwise_vec.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {

using Ops = Elementwise<Avx512>;
extern const ElementwiseKernel elementwise_avx512 = {Isa::avx512, Ops::rms_norm, Ops::swiglu, Ops::softmax};

}  // namespace smelt

#endif
