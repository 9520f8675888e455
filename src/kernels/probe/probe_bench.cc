// The machine's limits on one core, as Google Benchmark shows the kernels' rates: "ops" of int8 products beside those
// of qmatmul/prefill, "weight_bytes" beside those of qmatmul/exact/1.
#include <benchmark/benchmark.h>

#include <string>

#include "kernels/lists.h"
#include "kernels/probe/probe.h"

namespace smelt {
namespace {

// Rates per burst are measured inside; a counter takes the best, which is what a limit is.
void compute(benchmark::State& state, ProbeUnit unit, Isa isa) {
  ThreadPool threads(1);
  double best = 0;
  for ([[maybe_unused]] auto _ : state) best = std::max(best, probe_ops_per_second(unit, threads, isa));
  state.counters["ops"] = best;
}

void read(benchmark::State& state, Isa isa) {
  ThreadPool threads(1);
  const auto memory = make_probe_memory(kProbeBytes, threads);
  if (!memory) return state.SkipWithError(memory.error().message.c_str());
  double best = 0;
  for ([[maybe_unused]] auto _ : state)
    best = std::max(best, probe_read_bytes_per_second({memory->data(), memory->size()}, threads, isa));
  state.counters["weight_bytes"] = best;
}

const bool kRegistered = [] {
  for (const Isa isa : usable_isas()) {
    if (!has_kernel("probe", isa)) continue;
    const std::string name = isa_name(isa);
    benchmark::RegisterBenchmark(("probe/int8/" + name).c_str(), compute, ProbeUnit::int8, isa);
    if (runs_on(Isa::avx512vnni, isa))
      benchmark::RegisterBenchmark(("probe/bf16/" + name).c_str(), compute, ProbeUnit::bf16, isa);
    benchmark::RegisterBenchmark(("probe/f32/" + name).c_str(), compute, ProbeUnit::f32, isa);
    benchmark::RegisterBenchmark(("probe/read/" + name).c_str(), read, isa);
  }
  return true;
}();

}  // namespace
}  // namespace smelt
