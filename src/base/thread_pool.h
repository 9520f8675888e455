// A fixed set of worker threads and a parallel loop over an index range.
#pragma once

#include <cstdint>
#include <memory>

namespace smelt {

// pinned: each worker stays on a processor of its own, so that its caches stay warm. The calling thread is the caller's
// and stays free; the system has one processor left for it. For a machine that computes nothing else: two programs that
// pin would share the same processors.
enum class Pinning : uint8_t { free, pinned };

class ThreadPool {
 public:
  // n_threads counts the calling thread: n_threads - 1 workers are started, or as many as the system grants.
  // 0 means default_threads().
  // Where there are more threads than processors, or the system refuses, none is pinned.
  explicit ThreadPool(int n_threads = 0, Pinning pinning = Pinning::free);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int size() const { return n_threads_; }
  bool pinned() const { return pinned_; }

  static constexpr int kChunksPerThread = 4;

  // Calls body(begin, end, thread) for disjoint chunks covering [0, n), handed out dynamically; chunks are at least
  // `grain` long except the last. Returns when all are done. `thread` is in [0, size()). One loop at a time; not
  // reentrant. body must not throw. Results that do not depend on the chunking are the same for any thread count.
  // Allocates nothing. A worker that the system does not run delays nobody: the others do its chunks.
  // chunks_per_thread: about so many; four even out unequal speeds at little cost, more waste less time at the end of
  // long loops.
  template <class Body>
  void parallel_for(int64_t n, int64_t grain, const Body& body, int chunks_per_thread = kChunksPerThread) {
    run(n, grain, chunks_per_thread, {&body, [](const void* f, int64_t begin, int64_t end, int thread) {
                                        (*static_cast<const Body*>(f))(begin, end, thread);
                                      }});
  }

 private:
  struct Shared;
  struct Loop {
    const void* body;
    void (*call)(const void* body, int64_t begin, int64_t end, int thread);
  };
  bool pin_workers();
  void run(int64_t n, int64_t grain, int chunks_per_thread, const Loop& loop);

  std::unique_ptr<Shared> shared_;
  int n_threads_;
  bool pinned_ = false;
};

// The number of processors this process may use (affinity and cgroup quota included), at least 1.
int default_threads();

}  // namespace smelt
