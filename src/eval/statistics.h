// Means with standard errors, and percentiles.
#pragma once

#include <cstdint>
#include <span>

#include "eval/evaluate.h"

namespace smelt {

// Mean and variance of values that come one at a time (Welford, Technometrics 1962).
class RunningMean {
 public:
  void add(double value);
  int64_t count() const { return count_; }
  double mean() const { return mean_; }
  double sum() const { return mean_ * static_cast<double>(count_); }
  // Of the mean: sample standard deviation / sqrt(count); 0 for fewer than two values.
  double standard_error() const;
  Estimate estimate() const { return {mean_, standard_error()}; }

 private:
  int64_t count_ = 0;
  double mean_ = 0, squares_ = 0;
};

// Linear interpolation between the values around rank fraction · (n - 1); 0 if there are none.
double percentile(std::span<const float> sorted, double fraction);

}  // namespace smelt
