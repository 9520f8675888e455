// out[m][n] = sum_k x[m][k] * w[n][k]: activations times the transpose of a weight matrix of any dtype.
// m: tokens, n: outputs (rows of w), k: inputs. Accumulation in f32; weights are decoded to f32 block by block, so the
// result depends on the weights' format only, not on m or the thread count (bit-identical for any of both).
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "tensor/tensor_view.h"

namespace smelt {

struct MatmulArgs {
  const float* x = nullptr;  // [m][k], row stride k
  int64_t m = 0;
  TensorView w;              // {n, k}
  const float* bias = nullptr;  // [n] or null
  float* out = nullptr;      // [m][n], row stride n; must not overlap x
};

// scratch: at least matmul_scratch_floats(k, threads) floats, owned by the caller.
void matmul_into(const MatmulArgs& args, float* scratch, ThreadPool& threads);
int64_t matmul_scratch_floats(int64_t k_max, int n_threads);

}  // namespace smelt
