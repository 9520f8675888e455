// ThreadPool: every index exactly once, by valid threads, loop after loop.
#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <vector>

namespace smelt {
namespace {

void expect_each_once(ThreadPool& pool, int64_t n, int64_t grain) {
  std::vector<std::atomic<int>> visits(static_cast<size_t>(n));
  std::atomic<int> short_chunks{0};
  std::atomic<bool> in_range{true};
  pool.parallel_for(n, grain, [&](int64_t begin, int64_t end, int thread) {
    if (thread < 0 || thread >= pool.size() || begin < 0 || end > n || begin >= end) in_range = false;
    if (end - begin < grain && end != n) ++short_chunks;
    for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
  });
  EXPECT_TRUE(in_range) << n << " by " << grain;
  EXPECT_EQ(short_chunks, 0) << n << " by " << grain;
  for (const auto& count : visits) ASSERT_EQ(count, 1) << n << " by " << grain;
}

TEST(ThreadPool, VisitsEachIndexOnce) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.size(), threads);
    for (const int64_t n : {1, 2, 7, 31, 32, 33, 1000}) {
      for (const int64_t grain : {1, 4, 32, 5000}) expect_each_once(pool, n, grain);
    }
  }
}

TEST(ThreadPool, AnEmptyRangeCallsNothing) {
  ThreadPool pool(2);
  bool called = false;
  pool.parallel_for(0, 1, [&](int64_t, int64_t, int) { called = true; });
  pool.parallel_for(-5, 1, [&](int64_t, int64_t, int) { called = true; });
  EXPECT_FALSE(called);
}

TEST(ThreadPool, SumsOverManyShortLoops) {
  ThreadPool pool(4);
  for (int round = 0; round < 2000; ++round) {
    std::atomic<int64_t> sum{0};
    pool.parallel_for(64, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) sum += i;
    });
    ASSERT_EQ(sum, 64 * 63 / 2) << "round " << round;
  }
}

// Sleeping workers must wake for a loop that comes long after the last one.
TEST(ThreadPool, WorkersWakeAfterAPause) {
  ThreadPool pool(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    expect_each_once(pool, 100, 1);
  }
}

// Two chunks that each wait for the other can only end if two threads work at the same time.
TEST(ThreadPool, ChunksRunAtTheSameTime) {
  ThreadPool pool(2);
  std::atomic<int> arrived{0};
  pool.parallel_for(2, 1, [&](int64_t, int64_t, int) {
    ++arrived;
    while (arrived < 2) std::this_thread::yield();
  });
  EXPECT_EQ(arrived, 2);
}

TEST(ThreadPool, DefaultIsWhatTheProcessMayUse) {
  const int n = default_threads();
  EXPECT_GE(n, 1);
  EXPECT_LE(n, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(ThreadPool().size(), n);
}

}  // namespace
}  // namespace smelt
