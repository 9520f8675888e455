// What the machine can do at most, measured: multiply-adds in registers, and reading memory that no cache holds. `smelt
// bench` and the benchmarks of the kernels show their figures as a share of these.
#pragma once

#include <cstdint>
#include <span>

#include "base/large_memory.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"

namespace smelt {

enum class ProbeUnit : uint8_t {
  int8,  // products of 8-bit integers into sums of 32 bits
  bf16,  // products of bf16 into f32 sums
  f32,   // fused multiply-add
};

// Operations a second of all threads together (a multiplication and an addition are two), in one burst of some
// milliseconds; 0 where the instruction set has no such instruction. Other programs slow single bursts down: the peak
// is the best of several.
double probe_ops_per_second(ProbeUnit unit, ThreadPool& threads, Isa isa = chosen_isa());

// Memory to read: larger than caches, every page touched.
Result<LargeMemory> make_probe_memory(uint64_t bytes, ThreadPool& threads);
inline constexpr uint64_t kProbeBytes = uint64_t{512} << 20;
// Bytes a second of all threads together, in one pass.
double probe_read_bytes_per_second(std::span<const std::byte> memory, ThreadPool& threads, Isa isa = chosen_isa());

}  // namespace smelt
