// What Linux tells of the processor, and the form in which it writes sets of processors.
#include "base/machine.h"

#include <gtest/gtest.h>

#include "base/units.h"

namespace smelt {
namespace {

TEST(Machine, CpuListsAreCounted) {
  EXPECT_EQ(count_cpu_list("0"), 1);
  EXPECT_EQ(count_cpu_list("0-1"), 2);
  EXPECT_EQ(count_cpu_list("0-2,5"), 4);
  EXPECT_EQ(count_cpu_list("3,7,8-15"), 10);
  for (const char* bad : {"", "x", "2-1", "1-", "-1", "0-1,", ",", "0-1 "}) {
    EXPECT_EQ(count_cpu_list(bad), std::string_view(bad) == "0-1," ? 2 : 0) << bad;
  }
}

TEST(Machine, MemoryAndProcessorsArePlausible) {
  EXPECT_GE(online_processors(), 1);
  EXPECT_GE(physical_memory_bytes(), memory_budget_bytes());
  EXPECT_GT(physical_memory_bytes(), 1U << 26);
}

TEST(Machine, CachesComeNearestFirst) {
  int level = 1;
  for (const CacheInfo& cache : processor_caches()) {
    EXPECT_GE(cache.level, level);
    EXPECT_GE(cache.bytes, 1024U);
    EXPECT_GE(cache.shared_by, 1);
    level = cache.level;
  }
}

}  // namespace
}  // namespace smelt
