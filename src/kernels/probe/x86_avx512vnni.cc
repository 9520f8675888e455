// The probe with AVX-512 VNNI and BF16.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx512vnni.h"

namespace smelt {

extern const ProbeKernel probe_avx512vnni = {Isa::avx512vnni, probe_loop<Int8Vnni>(), probe_loop<Bf16Dot>(),
                                             probe_loop<F32Avx512>(), read_probe<Words512>};

}  // namespace smelt

#endif
