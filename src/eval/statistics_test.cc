#include "eval/statistics.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace smelt {
namespace {

TEST(Statistics, MeanAndStandardError) {
  RunningMean mean;
  for (const double x : {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0}) mean.add(x);
  EXPECT_DOUBLE_EQ(mean.mean(), 5);
  EXPECT_DOUBLE_EQ(mean.sum(), 40);
  EXPECT_EQ(mean.count(), 8);
  EXPECT_DOUBLE_EQ(mean.standard_error(), std::sqrt(32.0 / 7 / 8));  // squared differences add up to 32
}

TEST(Statistics, ErrorOfFewValuesIsZero) {
  RunningMean mean;
  EXPECT_EQ(mean.standard_error(), 0);
  mean.add(3);
  EXPECT_EQ(mean.mean(), 3);
  EXPECT_EQ(mean.standard_error(), 0);
}

TEST(Statistics, LargeOffsetsDoNotHideTheSpread) {
  RunningMean mean;
  for (int i = 0; i < 1000; ++i) mean.add(1e9 + i % 2);
  EXPECT_NEAR(mean.standard_error(), 0.5 / std::sqrt(999), 1e-6);
}

TEST(Statistics, PercentileInterpolates) {
  const std::vector<float> sorted = {10, 20, 30, 40};
  EXPECT_DOUBLE_EQ(percentile(sorted, 0), 10);
  EXPECT_DOUBLE_EQ(percentile(sorted, 0.5), 25);
  EXPECT_DOUBLE_EQ(percentile(sorted, 0.9), 37);
  EXPECT_DOUBLE_EQ(percentile(sorted, 1), 40);
  EXPECT_DOUBLE_EQ(percentile(std::vector<float>{7}, 0.99), 7);
  EXPECT_DOUBLE_EQ(percentile({}, 0.5), 0);
}

}  // namespace
}  // namespace smelt
