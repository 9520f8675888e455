// Row-wise operations with Advanced SIMD. The code is in elementwise_vec.h; this file gives it its registers and
// flags.
#if defined(__aarch64__)

#include "kernels/elementwise/elementwise_vec.h"
#include "kernels/vec_arm_neon.h"

namespace smelt {

using Ops = Elementwise<Neon>;
extern const ElementwiseKernel elementwise_neon = {Isa::neon, Ops::rms_norm, Ops::swiglu, Ops::softmax};

}  // namespace smelt

#endif
