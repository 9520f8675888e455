// What one instruction set provides for the row-wise operations. Seen by elementwise.cc and the files per instruction
// set.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

struct ElementwiseKernel {
  Isa isa;
  void (*rms_norm)(const float* x, const float* weight, int64_t n, float eps, float* out);
  void (*swiglu)(float* gate, const float* up, int64_t n);
  void (*softmax)(float* x, int64_t n);
};

#define SMELT_KERNEL(isa) extern const ElementwiseKernel elementwise_##isa;
#include "kernels/elementwise/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
