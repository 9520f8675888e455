#include "corpus/window_order.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace smelt {
namespace {

// std's distributions differ between standard libraries; the generators do not. The bias of a remainder is below 2^-30
// for all counts that occur.
int64_t below(std::mt19937_64& random, int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); }

}  // namespace

WindowOrder::WindowOrder(int64_t n_tokens, int64_t n_window, int64_t n_batch, uint64_t seed)
    // One window less, so that all can begin at an offset.
    : n_window_(n_window), n_batch_(n_batch), n_windows_(std::max<int64_t>(0, n_tokens / n_window - 1)), seed_(seed) {}

std::vector<int64_t> WindowOrder::starts(int64_t step) {
  const int64_t epoch = step / steps_per_epoch();
  if (epoch != epoch_) shuffle(epoch);
  const int64_t first = step % steps_per_epoch() * n_batch_;
  std::vector<int64_t> out;
  for (int64_t i = first; i < first + n_batch_; ++i)
    out.push_back(offset_ + order_[static_cast<size_t>(i)] * n_window_);
  return out;
}

void WindowOrder::shuffle(int64_t epoch) {
  std::seed_seq seeds{static_cast<uint32_t>(seed_), static_cast<uint32_t>(seed_ >> 32), static_cast<uint32_t>(epoch)};
  std::mt19937_64 random(seeds);
  epoch_ = epoch;
  offset_ = below(random, n_window_);
  order_.resize(static_cast<size_t>(n_windows_));
  std::iota(order_.begin(), order_.end(), 0);
  for (int64_t i = n_windows_ - 1; i > 0; --i)
    std::swap(order_[static_cast<size_t>(i)], order_[static_cast<size_t>(below(random, i + 1))]);
}

}  // namespace smelt
