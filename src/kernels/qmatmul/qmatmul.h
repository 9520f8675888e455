// out = x w^T for weights in quantized blocks, packed 16 rows interleaved (tensor/rows16.h), with int8 arithmetic: the
// activations are quantized to 8 bits in blocks of 32 (activations.h), products are summed as integers.
//
// Two arithmetics. `exact` uses the weights' own codes and scales: out = sum over blocks of (integer sum) * scale +
// minimum * sum of x, in f32, in the order of k. A token's result depends on nothing but the token, the weights and the
// instruction set: not on m, the thread count or the batch. `prefill`, for prompts of many tokens, first brings weights
// with minima or with a scale for 16 inputs to int8 with a scale for 32: within 1/254 of the block's greatest weight;
// its activations have powers of two as scales. Error of both against the sum in real numbers of the quantized
// activations: k / 16 * 2^-24 * sum |x w|.
#pragma once

#include <cstdint>
#include <span>

#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/qmatmul/activations.h"
#include "tensor/tensor_view.h"

namespace smelt {

// One matrix of several that share their input, and where its result goes.
struct QMatrix {
  TensorView w;                 // {n, k}, layout rows16
  const float* bias = nullptr;  // [n] or null
  float* out = nullptr;         // [m][n], rows out_stride apart
  int64_t out_stride = 0;
  bool add = false;  // out += instead of out =
};

struct QContext {
  float* scratch = nullptr;  // qmatmul_scratch_floats(m, threads), on a cache line
  ThreadPool& threads;
  Isa isa = chosen_isa();
};

int64_t qmatmul_scratch_floats(int64_t m_max, int n_threads);
// Memory of QuantizedRows for m rows of k values, in floats; and its placement there (on a cache line).
int64_t quantized_rows_floats(int64_t m, int64_t k);
QuantizedRows place_quantized_rows(float* memory, int64_t m, int64_t k);

// Quantizes one row, k a multiple of 32.
void quantize_row_into(const float* x, int64_t row, QArithmetic arithmetic, const QuantizedRows& out,
                       Isa isa = chosen_isa());

// All matrices times all rows of x, in one loop over threads.
void qmatmul_into(const QuantizedRows& x, std::span<const QMatrix> matrices, QArithmetic arithmetic,
                  const QContext& context);

// silu(gate x) * (up x), quantized, as the next matrix reads it. gate and up are of one dtype and have n rows, a
// multiple of 32. out: [m][n].
bool can_fuse_swiglu(const TensorView& gate, const TensorView& up);
void qmatmul_swiglu_into(const QuantizedRows& x, const QMatrix& gate, const QMatrix& up, QArithmetic arithmetic,
                         const QuantizedRows& out, const QContext& context);

}  // namespace smelt
