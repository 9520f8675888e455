// Dispatch of the row-wise operations; those that the compiler vectorises well by itself are written out here.
#include "kernels/elementwise/elementwise.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/elementwise/kernel.h"

namespace smelt {
namespace {

constexpr const ElementwiseKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &elementwise_##isa,
#include "kernels/elementwise/kernels.inc"
#undef SMELT_KERNEL
};

const ElementwiseKernel& kernel_for(Isa isa) { return find_kernel<ElementwiseKernel>(kKernels, isa); }

}  // namespace

void rms_norm_into(const float* x, const float* weight, int64_t n, float eps, float* out, Isa isa) {
  kernel_for(isa).rms_norm(x, weight, n, eps, out);
}

void swiglu_in_place(float* gate, const float* up, int64_t n, Isa isa) { kernel_for(isa).swiglu(gate, up, n); }

void softmax_in_place(float* x, int64_t n, Isa isa) { kernel_for(isa).softmax(x, n); }

void add_in_place(float* x, const float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] += y[i];
}

double log_sum_exp(const float* x, int64_t n) {
  const double top = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(static_cast<double>(x[i]) - top);
  return top + std::log(sum);
}

bool all_finite(const float* x, int64_t n) {
  // Infinity and NaN are the values whose exponent bits are all set; collected without a branch.
  uint32_t found = 0;
  for (int64_t i = 0; i < n; ++i)
    found |= static_cast<uint32_t>((std::bit_cast<uint32_t>(x[i]) & 0x7f800000U) == 0x7f800000U);
  return found == 0;
}

}  // namespace smelt
