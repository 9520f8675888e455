// ThreadPool: workers wait for a new loop number, spinning briefly (a decode step starts hundreds of short loops) and
// then sleeping. Chunks are taken from one atomic counter.
#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <exception>
#include <fstream>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/check.h"

namespace smelt {
namespace {

constexpr int kSpins = 2000;

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
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

struct ThreadPool::Shared {
  std::vector<std::thread> workers;
  std::mutex mutex;
  std::condition_variable wake;
  std::atomic<uint64_t> generation{0};
  std::atomic<int> running{0};
  std::atomic<bool> stop{false};
  std::atomic<int64_t> next{0};
  int64_t n = 0;
  int64_t chunk = 1;
  const std::function<void(int64_t, int64_t, int)>* body = nullptr;

  void work(int thread) {
    for (int64_t begin = next.fetch_add(chunk); begin < n; begin = next.fetch_add(chunk)) {
      (*body)(begin, std::min(n, begin + chunk), thread);
    }
  }

  void wait_for_loop(uint64_t seen) {
    for (int i = 0; i < kSpins; ++i) {
      if (generation.load(std::memory_order_acquire) != seen || stop.load()) return;
      cpu_relax();
    }
    std::unique_lock lock(mutex);
    wake.wait(lock, [&] { return generation.load() != seen || stop.load(); });
  }

  void run_worker(int thread) {
    uint64_t seen = 0;
    while (true) {
      wait_for_loop(seen);
      if (stop.load()) return;
      seen = generation.load(std::memory_order_acquire);
      work(thread);
      running.fetch_sub(1, std::memory_order_release);
    }
  }
};

ThreadPool::ThreadPool(int n_threads)
    : shared_(std::make_unique<Shared>()), n_threads_(n_threads > 0 ? n_threads : default_threads()) {
  shared_->workers.reserve(static_cast<size_t>(n_threads_ - 1));
  try {
    for (int t = 1; t < n_threads_; ++t) shared_->workers.emplace_back([s = shared_.get(), t] { s->run_worker(t); });
  } catch (const std::exception&) {
    // The system grants no more (a limit on processes or memory): those that started do the work.
    n_threads_ = static_cast<int>(shared_->workers.size()) + 1;
  }
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stop.store(true);
  }
  shared_->wake.notify_all();
  for (std::thread& worker : shared_->workers) worker.join();
}

void ThreadPool::parallel_for(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t, int)>& body) {
  if (n <= 0) return;
  SMELT_CHECK(grain > 0);
  if (n_threads_ == 1 || n <= grain) {
    body(0, n, 0);
    return;
  }
  Shared& s = *shared_;
  s.n = n;
  s.body = &body;
  // Four chunks a thread even out unequal speeds at little cost.
  s.chunk = std::max(grain, (n + int64_t{4} * n_threads_ - 1) / (int64_t{4} * n_threads_));
  s.next.store(0);
  s.running.store(n_threads_ - 1);
  {
    const std::lock_guard lock(s.mutex);
    s.generation.fetch_add(1, std::memory_order_release);
  }
  s.wake.notify_all();
  s.work(0);
  for (int i = 0; s.running.load(std::memory_order_acquire) > 0; ++i) {
    if (i < kSpins)
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
