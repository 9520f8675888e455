// The probe with AVX-512 F and BW.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx512.h"

namespace smelt {

extern const ProbeKernel probe_avx512 = {
    Isa::avx512, probe_loop<Int8Avx512>(), {}, probe_loop<F32Avx512>(), read_probe<Words512>};

}  // namespace smelt

#endif
