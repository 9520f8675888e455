// matmul with AVX2, FMA and F16C. The code is in tile_vec.h and decode_vec.h; this file gives it its registers and
// flags.
#if defined(__x86_64__)

#include "kernels/matmul/decode_vec.h"
#include "kernels/matmul/tile_vec.h"
#include "kernels/vec_x86_avx2.h"

namespace smelt {

extern const MatmulKernel matmul_avx2 = {Isa::avx2, run_tile<Avx2>, BlockDecoder<Avx2>::find};

}  // namespace smelt

#endif
