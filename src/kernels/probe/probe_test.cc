// The loops of the probe do the work that they are credited with, in every instruction set of this machine.
#include "kernels/probe/probe.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/large_memory.h"
#include "kernels/lists.h"
#include "kernels/probe/kernel.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

constexpr const ProbeKernel* kKernels[] = {
#define SMELT_KERNEL(isa) &probe_##isa,
#include "kernels/probe/kernels.inc"
#undef SMELT_KERNEL
};

TEST(Probe, LoopsMultiplyAsOftenAsTheySay) {
  for (const Isa isa : usable_isas()) {
    const ProbeKernel& kernel = find_kernel<ProbeKernel>(kKernels, isa);
    for (const ProbeLoop& loop : {kernel.int8, kernel.bf16, kernel.f32}) {
      if (loop.run == nullptr) continue;
      for (const int64_t rounds : {int64_t{0}, int64_t{1}, int64_t{7}, int64_t{1000}, kMaxProbeRounds}) {
        EXPECT_EQ(2 * loop.run(rounds), static_cast<double>(rounds * loop.ops_per_round))
            << isa_name(isa) << " " << rounds;
      }
    }
  }
}

TEST(Probe, EveryWordIsRead) {
  constexpr uint64_t kWords = 3 * kProbeReadStep / sizeof(uint64_t);
  alignas(64) uint64_t words[kWords];
  uint64_t expected = 0;
  for (uint64_t i = 0; i < kWords; ++i) expected ^= words[i] = splitmix64(5, i);
  for (const Isa isa : usable_isas()) {
    const ProbeKernel& kernel = find_kernel<ProbeKernel>(kKernels, isa);
    EXPECT_EQ(kernel.read(reinterpret_cast<const std::byte*>(words), sizeof words), expected) << isa_name(isa);
    EXPECT_EQ(kernel.read(nullptr, 0), 0U) << isa_name(isa);
  }
}

TEST(Probe, MeasuresEachInstructionSet) {
  ThreadPool threads(2);
  const auto memory = make_probe_memory(9 << 20, threads);
  ASSERT_TRUE(memory);
  EXPECT_EQ(memory->size(), uint64_t{12} << 20);
  EXPECT_EQ(memory->data()[memory->size() - 1], std::byte{1});
  for (const Isa isa : usable_isas()) {
    EXPECT_GT(probe_ops_per_second(ProbeUnit::int8, threads, isa), 1e6) << isa_name(isa);
    EXPECT_GT(probe_ops_per_second(ProbeUnit::f32, threads, isa), 1e6) << isa_name(isa);
    EXPECT_EQ(probe_ops_per_second(ProbeUnit::bf16, threads, isa) > 0, runs_on(Isa::avx512vnni, isa)) << isa_name(isa);
    EXPECT_GT(probe_read_bytes_per_second({memory->data(), memory->size()}, threads, isa), 1e6) << isa_name(isa);
  }
}

}  // namespace
}  // namespace smelt
