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

// Most of these threads do not run when a loop comes: late ones must neither be waited for nor take from the next loop,
// whose body and length differ.
TEST(ThreadPool, MoreThreadsThanProcessors) {
  ThreadPool pool(24);
  for (int64_t round = 1; round <= 1000; ++round) {
    const int64_t n = 1 + round % 150;
    std::atomic<int64_t> sum{0};
    pool.parallel_for(n, 1, [&sum, n, round](int64_t begin, int64_t end, int) {
      if (begin % 5 == 0) std::this_thread::yield();  // else the caller alone would do most of them
      for (int64_t i = begin; i < end; ++i) sum += (n - i) * round;
    });
    ASSERT_EQ(sum, round * n * (n + 1) / 2) << "round " << round;
  }
}

// Each pool is one caller's; several may work at the same time.
TEST(ThreadPool, PoolsSideBySide) {
  std::vector<std::thread> callers;
  std::atomic<int64_t> sum{0};
  for (int caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&sum] {
      ThreadPool pool(3);
      for (int round = 0; round < 300; ++round) {
        pool.parallel_for(10, 1, [&](int64_t begin, int64_t end, int) { sum += end - begin; });
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 3 * 300 * 10);
}

// Two chunks that each wait for the other can only end if two threads work at the same time.
bool two_work_at_once(ThreadPool& pool) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  std::atomic<int> arrived{0};
  pool.parallel_for(2, 1, [&](int64_t, int64_t, int) {
    ++arrived;
    while (arrived < 2 && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  return arrived == 2 && std::chrono::steady_clock::now() < end;
}

TEST(ThreadPool, ChunksRunAtTheSameTime) {
  ThreadPool pool(2);
  EXPECT_TRUE(two_work_at_once(pool));
}

// Sleeping workers must wake for a loop that comes long after the last one.
TEST(ThreadPool, WorkersWakeAfterAPause) {
  ThreadPool pool(2);
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ASSERT_TRUE(two_work_at_once(pool));
    expect_each_once(pool, 100, 1);
  }
}

TEST(ThreadPool, DefaultIsWhatTheProcessMayUse) {
  const int n = default_threads();
  EXPECT_GE(n, 1);
  EXPECT_LE(n, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_EQ(ThreadPool().size(), n);
}

}  // namespace
}  // namespace smelt
