// Steps of state-space layers with AVX-512. The code is in ssm_vec.h; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/ssm/ssm_vec.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {

using Ops = Ssm<Avx512>;
extern const SsmKernel ssm_avx512 = {Isa::avx512, Ops::convolve, Ops::scan};

}  // namespace smelt

#endif
