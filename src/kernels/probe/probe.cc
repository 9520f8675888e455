// Bursts on all threads, and the clock around them.
#include "kernels/probe/probe.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>

#include "kernels/probe/kernel.h"

namespace smelt {
namespace {

constexpr const ProbeKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &probe_##isa,
#include "kernels/probe/kernels.inc"
#undef SMELT_KERNEL
};

// Short, so that a thread that is held up leaves the rest to the others.
constexpr int64_t kRounds = int64_t{1} << 16;
constexpr int64_t kBurstsPerThread = 16;
constexpr int64_t kReadBlock = int64_t{4} << 20;

const ProbeLoop& loop_of(const ProbeKernel& kernel, ProbeUnit unit) {
  if (unit == ProbeUnit::int8) return kernel.int8;
  return unit == ProbeUnit::bf16 ? kernel.bf16 : kernel.f32;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

double probe_ops_per_second(ProbeUnit unit, ThreadPool& threads, Isa isa) {
  const ProbeLoop& loop = loop_of(find_kernel<ProbeKernel>(kKernels, isa), unit);
  if (loop.run == nullptr) return 0;
  const int64_t n = threads.size() * kBurstsPerThread;
  std::atomic<double> done = 0;
  const auto start = std::chrono::steady_clock::now();
  threads.parallel_for(n, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) done.fetch_add(loop.run(kRounds), std::memory_order_relaxed);
  });
  return 2 * done.load() / seconds_since(start);
}

Result<LargeMemory> make_probe_memory(uint64_t bytes, ThreadPool& threads) {
  const auto n_blocks = static_cast<int64_t>((bytes + kReadBlock - 1) / kReadBlock);
  SMELT_ASSIGN(LargeMemory memory, LargeMemory::allocate(static_cast<uint64_t>(n_blocks * kReadBlock)));
  threads.parallel_for(n_blocks, 1, [&](int64_t begin, int64_t end, int) {
    std::memset(memory.data() + begin * kReadBlock, 1, static_cast<size_t>((end - begin) * kReadBlock));
  });
  return memory;
}

double probe_read_bytes_per_second(std::span<const std::byte> memory, ThreadPool& threads, Isa isa) {
  const ProbeKernel& kernel = find_kernel<ProbeKernel>(kKernels, isa);
  const auto n_blocks = static_cast<int64_t>(memory.size()) / kReadBlock;
  std::atomic<uint64_t> folded = 0;
  const auto start = std::chrono::steady_clock::now();
  threads.parallel_for(n_blocks, 1, [&](int64_t begin, int64_t end, int) {
    for (int64_t b = begin; b < end; ++b)
      folded.fetch_xor(kernel.read(memory.data() + b * kReadBlock, kReadBlock), std::memory_order_relaxed);
  });
  const double seconds = seconds_since(start);
  return static_cast<double>(n_blocks * kReadBlock) / seconds;
}

}  // namespace smelt
