// The probe with AVX-VNNI.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx2.h"

namespace smelt {
namespace {

struct Int8AvxVnni : Ints256 {
  static Register step(Register sum, Register a, Register b) { return _mm256_dpbusd_avx_epi32(sum, a, b); }
};

}  // namespace

extern const ProbeKernel probe_avxvnni = {
    Isa::avxvnni, probe_loop<Int8AvxVnni>(), {}, probe_loop<F32Avx2>(), read_probe<Words256>};

}  // namespace smelt

#endif
