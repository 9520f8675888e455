// Numbers for people, at the edges between units; what the system says about memory; the log sink.
#include "base/units.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "base/log.h"

namespace smelt {
namespace {

TEST(FormatBytes, ThreeDigitsAtMost) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1 KiB");
  EXPECT_EQ(format_bytes(6'815'744), "6.5 MiB");
  EXPECT_EQ(format_bytes(1'048'575), "1 MiB");
  EXPECT_EQ(format_bytes((uint64_t{1} << 30) * 31 / 10), "3.1 GiB");
  EXPECT_EQ(format_bytes(uint64_t{5} << 40), "5 TiB");
  EXPECT_EQ(format_bytes(std::numeric_limits<uint64_t>::max()), "16777216 TiB");
}

TEST(FormatCount, ThreeDigitsAtMost) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(1000), "1 k");
  EXPECT_EQ(format_count(3'400'000), "3.4 M");
  EXPECT_EQ(format_count(1'240'000'000), "1.24 B");
  EXPECT_EQ(format_count(999'999'999), "1 B");
}

TEST(FormatDuration, ChangesUnitsWithoutGaps) {
  EXPECT_EQ(format_duration(0.84), "0.8 s");
  EXPECT_EQ(format_duration(59.94), "59.9 s");
  EXPECT_EQ(format_duration(59.97), "1 min 00 s");
  EXPECT_EQ(format_duration(125), "2 min 05 s");
  EXPECT_EQ(format_duration(3599.4), "59 min 59 s");
  EXPECT_EQ(format_duration(3599.6), "1 h 00 min");
  EXPECT_EQ(format_duration(-1), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::quiet_NaN()), "?");
  EXPECT_EQ(format_duration(1e300), "?");
}

TEST(Memory, PeakGrowsWithUse) {
  const uint64_t before = peak_rss_bytes();
  ASSERT_GT(before, 1'000'000U);
  std::vector<char> block(before + (64 << 20), 1);
  EXPECT_GE(peak_rss_bytes(), before + (32 << 20));
  EXPECT_EQ(block.back(), 1);
}

TEST(Units, ThePeakCanBeForgotten) {
  {
    std::vector<char> block(256 << 20, 1);
    ASSERT_EQ(block.back(), 1);
  }
  const uint64_t before = peak_rss_bytes();
  if (!reset_peak_rss()) GTEST_SKIP() << "this system keeps the peak";
  EXPECT_LT(peak_rss_bytes() + (128 << 20), before);
}

TEST(Memory, BudgetIsPlausible) {
  EXPECT_GT(memory_budget_bytes(), uint64_t{16} << 20);
  EXPECT_LT(memory_budget_bytes(), uint64_t{1} << 50);
}

TEST(Log, GoesToTheSinkOrNowhere) {
  std::vector<std::string> seen;
  log(LogLevel::warning, "dropped");
  set_log_sink([&](LogLevel level, std::string_view message) {
    seen.push_back((level == LogLevel::note ? "note: " : "other: ") + std::string(message));
  });
  log(LogLevel::note, "kept");
  set_log_sink({});
  log(LogLevel::note, "dropped again");
  EXPECT_EQ(seen, std::vector<std::string>{"note: kept"});
}

}  // namespace
}  // namespace smelt
