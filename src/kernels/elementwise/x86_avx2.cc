// Row-wise operations with AVX2, FMA and F16C. The code is in elementwise_vec.h; this file gives it its registers and
// flags.
#if defined(__x86_64__)

#include "kernels/elementwise/elementwise_vec.h"
#include "kernels/vec_x86_avx2.h"

namespace smelt {

using Ops = Elementwise<Avx2>;
extern const ElementwiseKernel elementwise_avx2 = {Isa::avx2, Ops::rms_norm, Ops::swiglu, Ops::softmax};

}  // namespace smelt

#endif
