// RunningMean and percentile.
#include "eval/statistics.h"

#include <algorithm>
#include <cmath>

namespace smelt {

void RunningMean::add(double value) {
  ++count_;
  const double step = value - mean_;
  mean_ += step / static_cast<double>(count_);
  squares_ += step * (value - mean_);
}

double RunningMean::standard_error() const {
  if (count_ < 2) return 0;
  const auto n = static_cast<double>(count_);
  return std::sqrt(squares_ / (n * (n - 1)));
}

double percentile(std::span<const float> sorted, double fraction) {
  if (sorted.empty()) return 0;
  const double rank = std::clamp(fraction, 0.0, 1.0) * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(rank);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  const double rest = rank - static_cast<double>(below);
  return (1 - rest) * sorted[below] + rest * sorted[above];
}

}  // namespace smelt
