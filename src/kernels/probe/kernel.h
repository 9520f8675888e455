// What one instruction set provides for the probe. Seen by probe.cc and the files per instruction set.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

struct ProbeLoop {
  // Independent multiply-adds of ones in registers; returns how many there were, added up by themselves: rounds *
  // ops_per_round / 2, exactly, for up to kMaxProbeRounds. Null where there is no such instruction.
  double (*run)(int64_t rounds) = nullptr;
  int64_t ops_per_round = 0;
};
inline constexpr int64_t kMaxProbeRounds = int64_t{1} << 20;

struct ProbeKernel {
  Isa isa;
  ProbeLoop int8, bf16, f32;
  // The exclusive or of all 8-byte words. `bytes` is a multiple of kProbeReadStep, `begin` of 64.
  uint64_t (*read)(const std::byte* begin, uint64_t bytes);
};
inline constexpr uint64_t kProbeReadStep = 512;

#define SMELT_KERNEL(isa) extern const ProbeKernel probe_##isa;
#include "kernels/probe/kernels.inc"
#undef SMELT_KERNEL

}  // namespace smelt
