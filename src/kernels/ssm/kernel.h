// What one instruction set provides for state-space layers. Seen by ssm.cc and the files per instruction set.
#pragma once

#include "kernels/isa.h"
#include "kernels/ssm/ssm.h"

namespace smelt {

struct SsmKernel {
  Isa isa;
  void (*convolve)(const SsmConvolution& convolution);
  void (*scan)(const SsmScan& scan);
};

#define SMELT_KERNEL(isa) extern const SsmKernel ssm_##isa;
#include "kernels/ssm/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
