// Linear layers over weights in either form: packed blocks with int8 arithmetic (kernels/qmatmul), anything else in f32
// (kernels/matmul). Called by the families' forward; decides nothing but which kernel a matrix goes to.
#pragma once

#include <initializer_list>
#include <vector>

#include "kernels/kernels.h"
#include "models/linear_observer.h"
#include "tensor/tensor_view.h"

namespace smelt {

struct Linear {
  TensorView w;             // {outputs, inputs}
  std::vector<float> bias;  // empty where the model has none
  bool is_int8 = false;     // w is interleaved, and is to be multiplied in int8
  bool is_bf16 = false;     // w is bf16, and long prompts are to be multiplied in bf16 products
};

// Rows of inputs in the forms that the matrices reading them need; those not needed are left as they are.
struct LinearInput {
  float* values = nullptr;  // [m][k]
  QuantizedRows quantized;  // m rows of k
  bool wants_values = false, wants_quantized = false;
};

// A layer, where its result goes ([m][outputs]) and whether it is added to what is there.
struct LinearOutput {
  const Linear& linear;
  float* out;
  bool add = false;
};

struct LinearContext {
  ThreadPool& threads;
  QArithmetic arithmetic = QArithmetic::exact;
  float* f32_scratch = nullptr;  // matmul_scratch_floats
  float* q_scratch = nullptr;    // qmatmul_scratch_floats
  float* sum_scratch = nullptr;  // [m][outputs] of the widest layer with `add` that is not packed
  LinearObserver* observer = nullptr;
};

// Calls body(row) for all rows, spread over threads; `work` is the number of values of a row.
template <class Body>
void for_rows(ThreadPool& threads, int64_t rows, int64_t work, const Body& body) {
  constexpr int64_t kMinRowWork = 1 << 14;  // values worth handing to another thread
  const auto run = [&body](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) body(i);
  };
  threads.parallel_for(rows, kMinRowWork / work + 1, run);
}

// The input of these layers at this memory: k floats a row at values, quantized rows at `quantized`.
LinearInput make_input(std::initializer_list<const Linear*> readers, float* values, const QuantizedRows& quantized);
// The same input from row `row` on; k values a row.
LinearInput rows_from(const LinearInput& input, int64_t row, int64_t k);

struct Norm {
  const std::vector<float>& weight;
  float eps;
};
// RMS-normalises the rows of x into all forms that are wanted.
void norm_into(const float* x, const Norm& norm, const LinearInput& out, int64_t m, const LinearContext& context);
// Quantizes input.values, where that is wanted.
void quantize_values(const LinearInput& input, int64_t m, const LinearContext& context);

// All layers of one input, in one loop over threads where they are packed.
void linear_into(const LinearInput& input, int64_t m, std::initializer_list<LinearOutput> outputs,
                 const LinearContext& context);

// The two layers before a SwiGLU. The buffers, [m][outputs] each, are not touched where both are packed alike.
struct SwigluLayers {
  const Linear &gate, &up;
  float *gate_values, *up_values;
};
// silu(gate x) * (up x) as the input of the layer after it.
void swiglu_into(const LinearInput& input, int64_t m, const SwigluLayers& layers, const LinearInput& out,
                 const LinearContext& context);

}  // namespace smelt
