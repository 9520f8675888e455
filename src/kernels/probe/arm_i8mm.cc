// The probe with Arm's 8-bit matrix product: 2 x 8 by 8 x 2.
#if defined(__aarch64__)

#include "kernels/probe/loops_vec.h"
#include "kernels/probe/units_arm_neon.h"

namespace smelt {
namespace {

struct Int8Matrix : Ints128 {
  static constexpr int kProducts = 32;
  static Register step(Register sum, Register a, Register b) { return vmmlaq_s32(sum, bytes(a), bytes(b)); }
};

}  // namespace

extern const ProbeKernel probe_i8mm = {
    Isa::i8mm, probe_loop<Int8Matrix>(), {}, probe_loop<F32Neon>(), read_probe<Words128>};

}  // namespace smelt

#endif
