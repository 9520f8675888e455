// The probe with the Advanced SIMD that every 64-bit Arm has.
#if defined(__aarch64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_arm_neon.h"

namespace smelt {
namespace {

struct Int8Neon : Ints128 {
  static Register step(Register sum, Register a, Register b) {
    const int16x8_t low = vmull_s8(vget_low_s8(bytes(a)), vget_low_s8(bytes(b)));
    return vpadalq_s16(sum, vmlal_high_s8(low, bytes(a), bytes(b)));
  }
};

}  // namespace

extern const ProbeKernel probe_neon = {
    Isa::neon, probe_loop<Int8Neon>(), {}, probe_loop<F32Neon>(), read_probe<Words128>};

}  // namespace smelt

#endif
