// The order in which processors are taken, and threads that stay on one.
#include "base/processors.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>

#include "base/thread_pool.h"

namespace smelt {
namespace {

using Ids = std::vector<int>;

TEST(Processors, CoresComeBeforeTheirSecondThreads) {
  EXPECT_EQ(pinning_order({}), Ids());
  EXPECT_EQ(pinning_order({{0, 0}, {1, 1}, {2, 2}}), Ids({0, 1, 2}));
  EXPECT_EQ(pinning_order({{0, 0}, {1, 0}, {2, 2}, {3, 2}}), Ids({0, 2, 1, 3})) << "neighbours share a core";
  EXPECT_EQ(pinning_order({{0, 0}, {1, 1}, {2, 0}, {3, 1}}), Ids({0, 1, 2, 3})) << "halves share cores";
  EXPECT_EQ(pinning_order({{5, 1}, {4, 0}}), Ids({4, 5})) << "the mask left out the first of each core";
}

TEST(Processors, FastKindsComeFirst) {
  EXPECT_EQ(pinning_order({{0, 0, 446}, {1, 1, 446}, {2, 2, 1024}, {3, 3, 1024}}), Ids({2, 3, 0, 1}));
  EXPECT_EQ(pinning_order({{0, 0, 1024}, {1, 0, 1024}, {2, 2, 512}}), Ids({0, 1, 2}))
      << "a fast core's second thread before a slow core";
}

TEST(Processors, ThoseAllowedAreThoseOfTheMask) {
  cpu_set_t set;
  CPU_ZERO(&set);
  ASSERT_EQ(sched_getaffinity(0, sizeof(set), &set), 0);
  const std::vector<Processor> allowed = allowed_processors();
  EXPECT_EQ(static_cast<int>(allowed.size()), CPU_COUNT(&set));
  for (const Processor& processor : allowed) EXPECT_TRUE(CPU_ISSET(processor.id, &set)) << processor.id;
}

TEST(Processors, NoSuchProcessorIsRefused) {
  std::atomic<bool> stop{false};
  std::thread thread([&] {
    while (!stop) std::this_thread::yield();
  });
  EXPECT_FALSE(pin_thread(thread, -1));
  EXPECT_FALSE(pin_thread(thread, 1 << 20));
  stop = true;
  thread.join();
}

// Every worker says which processors it may use; the calling thread keeps what it had.
TEST(Processors, WorkersOfAPinnedPoolHaveOneEach) {
  const Ids order = pinning_order(allowed_processors());
  if (order.size() < 2) GTEST_SKIP() << "one processor only: nothing to pin to";
  const int n = static_cast<int>(std::min<size_t>(order.size(), 4));
  ThreadPool pool(n, Pinning::pinned);
  EXPECT_TRUE(pool.pinned());
  std::vector<cpu_set_t> masks(static_cast<size_t>(n));
  std::atomic<int> arrived{0};
  pool.parallel_for(
      n, 1,
      [&](int64_t, int64_t, int thread) {
        EXPECT_EQ(sched_getaffinity(0, sizeof(cpu_set_t), &masks[static_cast<size_t>(thread)]), 0);
        ++arrived;
        while (arrived < n) std::this_thread::yield();  // so that each thread takes one
      },
      1);
  EXPECT_EQ(CPU_COUNT(&masks[0]), static_cast<int>(order.size()));
  for (int t = 1; t < n; ++t) {
    const cpu_set_t& mask = masks[static_cast<size_t>(t)];
    EXPECT_EQ(CPU_COUNT(&mask), 1);
    EXPECT_TRUE(CPU_ISSET(order[static_cast<size_t>(t)], &mask)) << t;
  }
}

TEST(Processors, MoreThreadsThanProcessorsStayFree) {
  ThreadPool pool(static_cast<int>(allowed_processors().size()) + 1, Pinning::pinned);
  EXPECT_FALSE(pool.pinned());
  EXPECT_FALSE(ThreadPool(2).pinned());
}

}  // namespace
}  // namespace smelt
