// Against a made-up powercap folder: what counts, and counters that wrap.
#include "base/energy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_folder.h"

namespace smelt {
namespace {

void add_zone(const TestFolder& folder, const std::string& zone, const std::string& name, uint64_t microjoules) {
  folder.write(zone + "/name", name + "\n");
  folder.write(zone + "/energy_uj", std::to_string(microjoules) + "\n");
  folder.write(zone + "/max_energy_range_uj", "1000000000\n");
}

TEST(Energy, CountsPackagesAndMemoryOnce) {
  const TestFolder folder;
  add_zone(folder, "intel-rapl:0", "package-0", 5'000'000);
  add_zone(folder, "intel-rapl:0:0", "core", 1'000'000);
  add_zone(folder, "intel-rapl:0:1", "dram", 2'000'000);
  add_zone(folder, "intel-rapl:1", "psys", 9'000'000);
  add_zone(folder, "intel-rapl-mmio:0", "package-0", 5'000'000);
  EnergyMeter meter(folder.path());
  add_zone(folder, "intel-rapl:0", "package-0", 8'000'000);
  add_zone(folder, "intel-rapl:0:0", "core", 3'000'000);
  add_zone(folder, "intel-rapl:0:1", "dram", 2'500'000);
  add_zone(folder, "intel-rapl:1", "psys", 99'000'000);
  add_zone(folder, "intel-rapl-mmio:0", "package-0", 8'000'000);
  const Energy used = meter.used();
  EXPECT_EQ(used.source, EnergySource::measured);
  EXPECT_DOUBLE_EQ(used.joules, 3.5);
  EXPECT_EQ(format_energy(used), "3.5 J (measured, the whole processor)");
}

TEST(Energy, CountersWrap) {
  const TestFolder folder;
  add_zone(folder, "intel-rapl:0", "package-0", 999'000'000);
  EnergyMeter meter(folder.path());
  add_zone(folder, "intel-rapl:0", "package-0", 1'000'000);
  EXPECT_DOUBLE_EQ(meter.used().joules, 2);
  add_zone(folder, "intel-rapl:0", "package-0", 2'000'000);
  EXPECT_DOUBLE_EQ(meter.used().joules, 3);
  std::filesystem::remove(folder.file("intel-rapl:0/energy_uj"));
  EXPECT_EQ(format_energy(meter.used()), "unknown");
}

TEST(Energy, IsEstimatedWithoutMeters) {
  EnergyMeter meter("/nowhere");
  volatile double sum = 0;
  for (int i = 0; i < 20'000'000; ++i) sum = sum + i;
  const Energy used = meter.used();
  EXPECT_EQ(used.source, EnergySource::estimated);
  EXPECT_GT(used.joules, 0);
  EXPECT_THAT(format_energy({1234, EnergySource::estimated}), testing::HasSubstr("1.2 kJ (estimated: 10 W"));
}

}  // namespace
}  // namespace smelt
