// Steps of state-space layers with AVX2, FMA and F16C. The code is in ssm_vec.h; this file gives it its registers and
// flags.
#if defined(__x86_64__)

#include "kernels/ssm/ssm_vec.h"
#include "kernels/vec_x86_avx2.h"

namespace smelt {

using Ops = Ssm<Avx2>;
extern const SsmKernel ssm_avx2 = {Isa::avx2, Ops::convolve, Ops::scan};

}  // namespace smelt

#endif
