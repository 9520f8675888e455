// The scan for infinities and NaN.
#include "apps/value_check.h"

#include <fmt/format.h>

#include <atomic>
#include <cmath>

#include "base/thread_pool.h"

namespace smelt {
namespace {

constexpr int64_t kNone = INT64_MAX;

// The column of the first value of the row that is not finite, or kNone.
int64_t find_bad_column(const TensorView& view, int64_t row, std::vector<float>& scratch) {
  view.decode_row_into(row, scratch.data());
  for (int64_t column = 0; column < view.columns(); ++column) {
    if (!std::isfinite(scratch[static_cast<size_t>(column)])) return column;
  }
  return kNone;
}

// The first row that has such a value, or kNone: the same for any number of threads.
int64_t find_bad_row(const TensorView& view, ThreadPool& threads, const JobControl& job) {
  std::atomic<int64_t> bad{kNone};
  // Allocated here: a worker could not report that there is no memory.
  std::vector<std::vector<float>> rows(static_cast<size_t>(threads.size()),
                                       std::vector<float>(static_cast<size_t>(view.columns())));
  const int64_t grain = std::max<int64_t>(1, (1 << 16) / std::max<int64_t>(1, view.columns()));
  threads.parallel_for(view.rows(), grain, [&](int64_t begin, int64_t end, int thread) {
    std::vector<float>& scratch = rows[static_cast<size_t>(thread)];
    for (int64_t row = begin; row < end && row < bad.load() && !job.cancelled(); ++row) {
      if (find_bad_column(view, row, scratch) == kNone) continue;
      int64_t seen = bad.load();
      while (row < seen && !bad.compare_exchange_weak(seen, row)) {
      }
    }
  });
  return bad.load();
}

}  // namespace

Status check_values(const Checkpoint& checkpoint, int n_threads, const JobControl& job) {
  ThreadPool threads(n_threads);
  uint64_t done = 0, total = 0;
  for (const TensorEntry& tensor : checkpoint.tensors()) total += tensor.view.bytes.size();
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    job.update("Checking values", done >> 20, total >> 20, "MiB");
    SMELT_TRY(checkpoint.prepare(tensor));
    const int64_t row = find_bad_row(tensor.view, threads, job);
    if (job.cancelled()) return cancelled_error();
    if (row != kNone) {
      std::vector<float> scratch(static_cast<size_t>(tensor.view.columns()));
      const int64_t column = find_bad_column(tensor.view, row, scratch);
      return input_error(fmt::format("{}: value at row {}, column {} is {}, not a finite number; the file is damaged",
                                     checkpoint.describe(tensor), row, column, scratch[static_cast<size_t>(column)]));
    }
    done += tensor.view.bytes.size();
    checkpoint.release(tensor);
  }
  return {};
}

}  // namespace smelt
