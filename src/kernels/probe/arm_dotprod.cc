// The probe with Arm's dot product.
#if defined(__aarch64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_arm_neon.h"

namespace smelt {
namespace {

struct Int8Dot : Ints128 {
  static Register step(Register sum, Register a, Register b) { return vdotq_s32(sum, bytes(a), bytes(b)); }
};

}  // namespace

extern const ProbeKernel probe_dotprod = {
    Isa::dotprod, probe_loop<Int8Dot>(), {}, probe_loop<F32Neon>(), read_probe<Words128>};

}  // namespace smelt

#endif
