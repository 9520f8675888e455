// Which windows of a token store a training step reads: a function of seed and step alone, so that a run can stop
// anywhere and any number of processes agree. Called by the trainer.
#pragma once

#include <cstdint>
#include <vector>

namespace smelt {

// Each pass over the text ("epoch") takes every window once, in an order and from an offset of its own. What is left at
// the end of a pass, less than a step's windows, is not read.
class WindowOrder {
 public:
  // n_tokens in the store; windows of n_window of them; n_batch windows a step.
  WindowOrder(int64_t n_tokens, int64_t n_window, int64_t n_batch, uint64_t seed);

  int64_t steps_per_epoch() const { return n_windows_ / n_batch_; }  // 0: too little text for a step
  // First tokens of the n_batch windows of this step.
  std::vector<int64_t> starts(int64_t step);

 private:
  void shuffle(int64_t epoch);

  int64_t n_window_, n_batch_, n_windows_;
  uint64_t seed_;
  int64_t epoch_ = -1;
  int64_t offset_ = 0;
  std::vector<int64_t> order_;
};

}  // namespace smelt
