// Who sees what goes into the linear layers of a pass: statistics of activations (shrink/). Part of ForwardArgs.
#pragma once

#include <cstdint>
#include <span>

#include "tensor/tensor_view.h"

namespace smelt {

class LinearObserver {
 public:
  virtual ~LinearObserver() = default;
  // Rows x [m][k] are about to be multiplied by each of these matrices. Called by the thread that runs the pass, and
  // only of models loaded with Compute::f32: elsewhere inputs may exist in 8 bits alone.
  virtual void observe(std::span<const TensorView> readers, const float* x, int64_t m) = 0;
};

}  // namespace smelt
