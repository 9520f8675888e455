// out[m][n] = sum_k x[m][k] * w[n][k]: activations times the transpose of a weight matrix of any dtype.
// m: tokens, n: outputs (rows of w), k: inputs. Accumulation in f32; weights are decoded to f32 block by block, so the
// result depends on the weights' format and the instruction set only, not on m or the thread count (bit-identical for
// any of both). Weight bytes need no alignment; rows may be interleaved (Layout::rows16). Instruction sets differ in
// the order of summation: by less than k * 2^-24 * sum |x * w|.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "tensor/tensor_view.h"

namespace smelt {

struct MatmulArgs {
  const float* x = nullptr;  // [m][k], row stride k
  int64_t m = 0;
  TensorView w;                 // {n, k}
  const float* bias = nullptr;  // [n] or null
  float* out = nullptr;         // [m][n], row stride n; must not overlap x
  // Over bf16 weights, where the instruction set has it: activations are rounded to bf16 (8 bits) and multiplied so,
  // about four times as fast. Without effect elsewhere.
  bool bf16_products = false;
};

// scratch: at least matmul_scratch_floats(m, k, threads) floats, owned by the caller.
void matmul_into(const MatmulArgs& args, float* scratch, ThreadPool& threads, Isa isa = chosen_isa());
int64_t matmul_scratch_floats(int64_t m_max, int64_t k_max, int n_threads);

// The row decoder that matmul uses for this dtype: bit-identical to dtype_info(dtype).decode.
DecodeRow find_row_decoder(DType dtype, Isa isa = chosen_isa());

}  // namespace smelt
