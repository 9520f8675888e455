// Dispatch of the steps of state-space layers.
#include "kernels/ssm/ssm.h"

#include "base/check.h"
#include "kernels/ssm/kernel.h"

namespace smelt {
namespace {

constexpr const SsmKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &ssm_##isa,
#include "kernels/ssm/kernels.inc"
#undef SMELT_KERNEL
};

}  // namespace

void ssm_convolve(const SsmConvolution& convolution, Isa isa) {
  SMELT_CHECK(convolution.n_taps >= 1 && convolution.n_taps <= kMaxSsmTaps);
  find_kernel<SsmKernel>(kKernels, isa).convolve(convolution);
}

void ssm_scan(const SsmScan& scan, Isa isa) { find_kernel<SsmKernel>(kKernels, isa).scan(scan); }

}  // namespace smelt
