// ThreadPool: workers wait for open chunks, spinning briefly (a decode step starts hundreds of short loops) and then
// sleeping. Starting a loop is one atomic store, taking a chunk one exchange, ending it one addition for each worker.
#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/processors.h"

namespace smelt {
namespace {

using Clock = std::chrono::steady_clock;

// A worker looks for the next loop for so long before it sleeps. Within a decode step one loop follows another; between
// two texts a worker must not burn its processor.
constexpr std::chrono::microseconds kSpinTime{100};
// Who waits offers its processor to others after so many pauses: they may be what is waited for, where there are more
// threads than processors.
constexpr int kPauses = 32;

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// CPU bandwidth limit of the control group (cgroup v2), in processors; 0 if there is none.
int cgroup_cpus() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  const double limit = std::strtod(quota.c_str(), nullptr);
  return limit > 0 ? std::max(1, static_cast<int>(std::lround(limit / period))) : 0;
}

}  // namespace

// A loop is published by storing the number of its chunks in `open`; who takes a chunk lowers it by one. The loop's
// description stays as it is until all chunks are done, so that who holds one may read it. A thread that slept over a
// whole loop between looking and taking gets a chunk of the next one, as good as any.
struct ThreadPool::Shared {
  alignas(64) std::atomic<int64_t> open{0};
  int64_t n = 0;
  int64_t chunk = 1;
  int64_t n_chunks = 0;
  Loop loop{};
  alignas(64) std::atomic<int64_t> done{0};  // chunks, by workers
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;

  bool has_work() const { return open.load(std::memory_order_seq_cst) > 0; }
  int64_t take();
  int64_t work(int thread);
  void publish();
  bool spin() const;
  void sleep();
  void run_worker(int thread);
};

// The number of a chunk, or -1.
int64_t ThreadPool::Shared::take() {
  int64_t seen = open.load(std::memory_order_relaxed);
  while (seen > 0) {
    if (open.compare_exchange_weak(seen, seen - 1, std::memory_order_acquire, std::memory_order_relaxed)) {
      return n_chunks - seen;
    }
  }
  return -1;
}

// Does chunks until none is open; how many.
int64_t ThreadPool::Shared::work(int thread) {
  int64_t count = 0;
  for (int64_t i = take(); i >= 0; i = take(), ++count) {
    loop.call(loop.body, i * chunk, std::min(n, (i + 1) * chunk), thread);
  }
  return count;
}

void ThreadPool::Shared::publish() {
  open.store(n_chunks, std::memory_order_seq_cst);
  // Either this sees a worker that is about to sleep, or that worker sees the loop (both sequentially consistent).
  if (sleepers.load(std::memory_order_seq_cst) == 0) return;
  { const std::lock_guard lock(mutex); }
  wake.notify_all();
}

// False if nothing came in time.
bool ThreadPool::Shared::spin() const {
  const Clock::time_point end = Clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPauses; ++i) {
      if (has_work() || stop.load(std::memory_order_relaxed)) return true;
      cpu_relax();
    }
    std::this_thread::yield();
  } while (Clock::now() < end);
  return false;
}

void ThreadPool::Shared::sleep() {
  std::unique_lock lock(mutex);
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  wake.wait(lock, [&] { return has_work() || stop.load(); });
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadPool::Shared::run_worker(int thread) {
  while (!stop.load(std::memory_order_relaxed)) {
    if (const int64_t count = work(thread); count > 0) done.fetch_add(count, std::memory_order_release);
    if (!spin()) sleep();
  }
}

ThreadPool::ThreadPool(int n_threads, Pinning pinning)
    : shared_(std::make_unique<Shared>()), n_threads_(n_threads > 0 ? n_threads : default_threads()) {
  shared_->workers.reserve(static_cast<size_t>(n_threads_ - 1));
  try {
    for (int t = 1; t < n_threads_; ++t) shared_->workers.emplace_back([s = shared_.get(), t] { s->run_worker(t); });
  } catch (const std::exception&) {
    // The system grants no more (a limit on processes or memory): those that started do the work.
    n_threads_ = static_cast<int>(shared_->workers.size()) + 1;
  }
  pinned_ = pinning == Pinning::pinned && pin_workers();
}

// The first processor in order is left to the calling thread.
bool ThreadPool::pin_workers() {
  const std::vector<int> order = pinning_order(allowed_processors());
  std::vector<std::thread>& workers = shared_->workers;
  if (workers.empty() || workers.size() >= order.size()) return false;
  bool all = true;
  for (size_t i = 0; i < workers.size(); ++i) all = pin_thread(workers[i], order[i + 1]) && all;
  return all;
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop.store(true);
  }
  shared_->wake.notify_all();
  for (std::thread& worker : shared_->workers) worker.join();
}

void ThreadPool::run(int64_t n, int64_t grain, int chunks_per_thread, const Loop& loop) {
  if (n <= 0) return;
  SMELT_CHECK(grain > 0);
  if (n_threads_ == 1 || n <= grain) {
    loop.call(loop.body, 0, n, 0);
    return;
  }
  Shared& s = *shared_;
  s.n = n;
  s.loop = loop;
  const int64_t chunks = int64_t{chunks_per_thread} * n_threads_;
  s.chunk = std::max(grain, (n + chunks - 1) / chunks);
  s.n_chunks = (n + s.chunk - 1) / s.chunk;
  s.done.store(0, std::memory_order_relaxed);
  s.publish();
  const int64_t others = s.n_chunks - s.work(0);
  for (int i = 0; s.done.load(std::memory_order_acquire) < others; ++i) {
    if (i % kPauses < kPauses - 1)
      cpu_relax();
    else
      std::this_thread::yield();
  }
}

int default_threads() {
  cpu_set_t set;
  CPU_ZERO(&set);
  int n = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set)
                                                       : static_cast<int>(std::thread::hardware_concurrency());
  if (const int limit = cgroup_cpus(); limit > 0) n = std::min(n, limit);
  return std::max(1, n);
}

}  // namespace smelt
