// Windows of a text going through a model some layers at a time, so that statistics of one layer's inputs are in memory
// at once: hidden states of all tokens wait between the layers. Called by imatrix.cc and by the rounding of layers.
#pragma once

#include <memory>
#include <vector>

#include "base/large_memory.h"
#include "base/progress.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "eval/windows.h"
#include "models/model.h"

namespace smelt {

class LayerPass {
 public:
  // The windows must outlive it. max_layers: of one run; 0: all at once, in which case no hidden states are kept.
  static Result<LayerPass> create(std::shared_ptr<const Model> model, const Windows& windows, int64_t max_layers,
                                  ThreadPool& threads);

  // Layers [first, end) of all windows, which must have gone through those before; end n_layers + 1 is the output head.
  // `keep`: the hidden states go on to the next layer, else they stay those before `first`. Cancelled between windows.
  struct Part {
    int64_t first = 0, end = 0;
    bool keep = true;
  };
  Status run(const Part& part, LinearObserver* observer, const JobControl& job);

  // From now on the layers of this model, of the same shape, are gone through: one with quantized weights.
  void set_model(std::shared_ptr<const Model> model) { model_ = std::move(model); }

 private:
  LayerPass(std::shared_ptr<const Model> model, const Windows& windows, ThreadPool& threads)
      : model_(std::move(model)), windows_(&windows), threads_(&threads) {}
  Status allocate(int64_t max_layers);
  void run_window(int64_t window, const Part& part, LinearObserver* observer);

  std::shared_ptr<const Model> model_;
  const Windows* windows_;
  ThreadPool* threads_;
  int64_t chunk_ = 0;  // tokens of a pass
  int64_t max_layers_ = 0;
  uint64_t layer_bytes_ = 0;  // of the KV cache
  int64_t kv_blocks_ = 0;
  LargeMemory kv_, workspace_, logits_, hidden_, discarded_;
};

}  // namespace smelt
