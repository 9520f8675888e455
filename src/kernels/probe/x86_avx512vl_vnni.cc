// The probe with AVX-512 VNNI. In registers of 512 bits, unlike the kernels of this set: the machine's limit is wanted.
#if defined(__x86_64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_x86_avx512.h"

namespace smelt {
namespace {

struct Int8Vnni : Ints512 {
  static Register step(Register sum, Register a, Register b) { return _mm512_dpbusd_epi32(sum, a, b); }
};

}  // namespace

extern const ProbeKernel probe_avx512vl_vnni = {
    Isa::avx512vl_vnni, probe_loop<Int8Vnni>(), {}, probe_loop<F32Avx512>(), read_probe<Words512>};

}  // namespace smelt

#endif
