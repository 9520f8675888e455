// Steps of state-space layers with NEON. The code is in ssm_vec.h; this file gives it its registers and flags.
#if defined(__aarch64__)

#include "kernels/ssm/ssm_vec.h"
#include "kernels/vec_arm_neon.h"

namespace smelt {

using Ops = Ssm<Neon>;
extern const SsmKernel ssm_neon = {Isa::neon, Ops::convolve, Ops::scan};

}  // namespace smelt

#endif
