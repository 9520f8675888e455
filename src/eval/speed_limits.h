// The machine's limits, probed again and again between measurements: other programs move them. For speed.cc.
#pragma once

#include <vector>

#include "base/large_memory.h"
#include "eval/speed.h"

namespace smelt {

struct LimitsNow {
  double int8 = 0, read = 0;  // operations and bytes a second
};

class LimitProbe {
 public:
  static Result<LimitProbe> create(ThreadPool& threads);
  // Some 50 ms.
  LimitsNow probe();
  SpeedLimits limits() const;

 private:
  explicit LimitProbe(ThreadPool& threads) : threads_(&threads) {}
  ThreadPool* threads_;
  LargeMemory memory_;
  std::vector<double> int8_, bf16_, f32_, read_;
};

}  // namespace smelt
