// Checked arithmetic at and around the ends of the types.
#include "base/checked.h"

#include <gtest/gtest.h>

#include <limits>

namespace smelt {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();
constexpr int64_t kSignedMax = std::numeric_limits<int64_t>::max();
constexpr int64_t kSignedMin = std::numeric_limits<int64_t>::min();

TEST(Checked, Add) {
  EXPECT_EQ(checked_add<uint64_t>(kMax - 1, 1), kMax);
  EXPECT_EQ(checked_add<uint64_t>(kMax, 1), std::nullopt);
  EXPECT_EQ(checked_add<int64_t>(kSignedMax, 1), std::nullopt);
  EXPECT_EQ(checked_add<int64_t>(kSignedMin, -1), std::nullopt);
  EXPECT_EQ(checked_add<uint8_t>(200, 56), std::nullopt);
}

TEST(Checked, Multiply) {
  EXPECT_EQ(checked_mul<uint64_t>(uint64_t{1} << 32, uint64_t{1} << 32), std::nullopt);
  EXPECT_EQ(checked_mul<uint64_t>(uint64_t{1} << 32, (uint64_t{1} << 32) - 1), kMax - ((uint64_t{1} << 32) - 1));
  EXPECT_EQ(checked_mul<uint64_t>(kMax, 0), uint64_t{0});
  EXPECT_EQ(checked_mul<int64_t>(kSignedMin, -1), std::nullopt);
  EXPECT_EQ(checked_mul<int64_t>(kSignedMax, 2), std::nullopt);
}

TEST(Checked, RoundUp) {
  EXPECT_EQ(checked_round_up(0, 32), uint64_t{0});
  EXPECT_EQ(checked_round_up(1, 32), uint64_t{32});
  EXPECT_EQ(checked_round_up(32, 32), uint64_t{32});
  EXPECT_EQ(checked_round_up(33, 12), uint64_t{36});
  EXPECT_EQ(checked_round_up(kMax, 1), kMax);
  EXPECT_EQ(checked_round_up(kMax - 30, 32), std::nullopt);  // would wrap to 0
  EXPECT_EQ(checked_round_up(kMax - 31, 32), kMax - 31);
}

TEST(Checked, RangeFitsWithoutWrapping) {
  EXPECT_TRUE(range_fits(0, 0, 0));
  EXPECT_TRUE(range_fits(10, 5, 15));
  EXPECT_FALSE(range_fits(10, 6, 15));
  EXPECT_FALSE(range_fits(16, 0, 15));
  EXPECT_FALSE(range_fits(kMax, 1, 15));
  EXPECT_FALSE(range_fits(1, kMax, 15));
  EXPECT_TRUE(range_fits(1, kMax - 1, kMax));
}

}  // namespace
}  // namespace smelt
