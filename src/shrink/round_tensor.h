// One tensor of a model rounded by the moments of its inputs: each expert by its own.
#pragma once

#include "compress/hessian.h"
#include "compress/second_order.h"
#include "shrink/moments.h"
#include "shrink/working_model.h"

namespace smelt {

struct RoundTensorOptions {
  RoundingOptions rounding;
  HessianOptions hessian;
  bool choose_shrinkage = true;  // by the number of tokens, instead of hessian.shrinkage
};

struct RoundedTensor {
  NewTensor tensor;
  RoundingLoss loss;
};

// Rounds tensors whose inputs' moments are at hand. A Hessian is made once for all tensors that share an input, if they
// are asked for one after another. All it is given must outlive it.
class TensorRounder {
 public:
  TensorRounder(const SourceModel& source, const MomentObserver& moments, const RoundTensorOptions& options,
                ThreadPool& threads)
      : source_(source), moments_(moments), options_(options), threads_(threads) {}

  // A value that is not finite is an error that names its place.
  Result<RoundedTensor> round(size_t index, DType type);
  // What rounding to `type` would lose, estimated from some rows spread over each matrix.
  Result<double> estimate_loss(size_t index, DType type);

 private:
  // moment null: all inputs count alike.
  const Hessian& hessian_of(const Moment* moment, int64_t n_inputs);

  const SourceModel& source_;
  const MomentObserver& moments_;
  const RoundTensorOptions& options_;
  ThreadPool& threads_;
  const Moment* moment_ = nullptr;  // of hessian_
  int64_t n_inputs_ = 0;
  Hessian hessian_;
};

}  // namespace smelt
