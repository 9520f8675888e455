// What one instruction set provides for rope. Seen by rope.cc and the files per instruction set.
#pragma once

#include <cstdint>

#include "kernels/isa.h"
#include "kernels/rope/rope.h"

namespace smelt {

struct RopeKernel {
  Isa isa;
  // Rotates the n_rope values of one head.
  void (*rotate)(float* head, int64_t n_rope, RopeLayout layout, const float* cos, const float* sin);
};

#define SMELT_KERNEL(isa) extern const RopeKernel rope_##isa;
#include "kernels/rope/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
