// The probe with AVX2 and FMA.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx2.h"

namespace smelt {

extern const ProbeKernel probe_avx2 = {
    Isa::avx2, probe_loop<Int8Avx2>(), {}, probe_loop<F32Avx2>(), read_probe<Words256>};

}  // namespace smelt

#endif
