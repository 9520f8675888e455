// qmatmul with AVX-512 VNNI. The code is in the *_vec.h files; this file gives it its registers and flags.
#if defined(__x86_64__)

#include "kernels/qmatmul/exact_vec.h"
#include "kernels/qmatmul/lanes_x86_avx512vnni.h"
#include "kernels/qmatmul/prefill_vec.h"
#include "kernels/qmatmul/quantize_vec.h"

namespace smelt {

extern const QMatmulKernel qmatmul_avx512vnni = {Isa::avx512vnni, quantize_row<LanesAvx512Vnni>,
                                                 exact_tile<LanesAvx512Vnni>, prefill_tile<LanesAvx512Vnni>};

}  // namespace smelt

#endif
