// What a parallel loop costs beyond its body: empty loops one after another as in a decode step, loops so far apart
// that the workers sleep in between, and more threads than processors. Real time counts.
#include <benchmark/benchmark.h>

#include <chrono>

#include "base/thread_pool.h"

namespace smelt {
namespace {

void empty_loop(benchmark::State& state) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    pool.parallel_for(64, 1, [](int64_t begin, int64_t, int) { benchmark::DoNotOptimize(begin); });
  }
}
BENCHMARK(empty_loop)->Arg(1)->Arg(2)->Arg(4)->Arg(16)->UseRealTime();

// 1 ms of other work of the caller comes before each loop.
void loop_after_pause(benchmark::State& state) {
  using Clock = std::chrono::steady_clock;
  ThreadPool pool(static_cast<int>(state.range(0)));
  for ([[maybe_unused]] auto _ : state) {
    const Clock::time_point end = Clock::now() + std::chrono::milliseconds(1);
    while (Clock::now() < end) {
    }
    const Clock::time_point start = Clock::now();
    pool.parallel_for(64, 1, [](int64_t begin, int64_t, int) { benchmark::DoNotOptimize(begin); });
    state.SetIterationTime(std::chrono::duration<double>(Clock::now() - start).count());
  }
}
BENCHMARK(loop_after_pause)->Arg(2)->Arg(4)->UseManualTime()->Iterations(200);

}  // namespace
}  // namespace smelt
