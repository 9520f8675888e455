// matmul with Advanced SIMD. The code is in tile_vec.h and decode_vec.h; this file gives it its registers and
// flags.
#if defined(__aarch64__)

#include "kernels/matmul/decode_vec.h"
#include "kernels/matmul/tile_vec.h"
#include "kernels/vec_arm_neon.h"

namespace smelt {

extern const MatmulKernel matmul_neon = {Isa::neon, run_tile<Neon>, BlockDecoder<Neon>::find};

}  // namespace smelt

#endif
