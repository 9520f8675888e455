// Second moments of the inputs of linear layers, gathered while a model runs: E[x_i^2] of every input, and on request
// E[x x^T]. Matrices that read the same input (q, k and v; gate and up) share one.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/thread_pool.h"
#include "models/linear_observer.h"
#include "shrink/weight_index.h"

namespace smelt {

struct Moment {
  int64_t n_inputs = 0, n_rows = 0;
  std::vector<double> squares;  // [n_inputs], sums of x_i^2
  std::vector<float> products;  // [n_inputs][n_inputs], sums of x x^T; its lower triangle. Empty: not asked for
};

class MomentObserver final : public LinearObserver {
 public:
  enum class Kind { squares, products };
  // The index must outlive it.
  MomentObserver(const WeightIndex& index, Kind kind, ThreadPool& threads)
      : index_(index), kind_(kind), threads_(threads) {}

  void observe(std::span<const TensorView> readers, const float* x, int64_t m) override;

  // Null for a matrix that saw no token.
  const Moment* find(const WeightPlace& place) const;
  const std::map<WeightPlace, std::shared_ptr<Moment>>& all() const { return moments_; }
  void clear() { moments_.clear(); }
  int64_t n_unknown() const { return n_unknown_; }  // observed matrices that are not in the index

 private:
  void add(Moment& moment, const float* x, int64_t m);
  void add_products(Moment& moment, const float* x, int64_t m);

  const WeightIndex& index_;
  Kind kind_;
  ThreadPool& threads_;
  std::map<WeightPlace, std::shared_ptr<Moment>> moments_;
  int64_t n_unknown_ = 0;
  std::vector<float> transposed_, tile_, scratch_;
};

}  // namespace smelt
