// LimitProbe: the better of two bursts each time.
#include "eval/speed_limits.h"

#include <algorithm>

#include "base/units.h"
#include "kernels/probe/probe.h"

namespace smelt {
namespace {

constexpr uint64_t kLeastBytes = uint64_t{32} << 20;

double better_of_two(ProbeUnit unit, ThreadPool& threads) {
  const double first = probe_ops_per_second(unit, threads);
  return std::max(first, probe_ops_per_second(unit, threads));
}

}  // namespace

Result<LimitProbe> LimitProbe::create(ThreadPool& threads) {
  LimitProbe probe(threads);
  const uint64_t bytes = std::clamp(memory_budget_bytes() / 8, kLeastBytes, kProbeBytes);
  SMELT_ASSIGN(probe.memory_, make_probe_memory(bytes, threads));
  return probe;
}

LimitsNow LimitProbe::probe() {
  const std::span<const std::byte> memory{memory_.data(), memory_.size()};
  const double first = probe_read_bytes_per_second(memory, *threads_);
  read_.push_back(std::max(first, probe_read_bytes_per_second(memory, *threads_)));
  int8_.push_back(better_of_two(ProbeUnit::int8, *threads_));
  bf16_.push_back(better_of_two(ProbeUnit::bf16, *threads_));
  f32_.push_back(better_of_two(ProbeUnit::f32, *threads_));
  return {int8_.back(), read_.back()};
}

SpeedLimits LimitProbe::limits() const {
  return {spread_of(int8_), spread_of(bf16_), spread_of(f32_), spread_of(read_)};
}

}  // namespace smelt
