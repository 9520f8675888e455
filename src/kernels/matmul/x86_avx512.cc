// matmul with AVX-512. The code is in tile_vec.h and decode_vec.h; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/matmul/decode_vec.h"
#include "kernels/matmul/tile_vec.h"
#include "kernels/vec_x86_avx512.h"

namespace smelt {

extern const MatmulKernel matmul_avx512 = {Isa::avx512, run_tile<Avx512>, BlockDecoder<Avx512>::find};

}  // namespace smelt

#endif
