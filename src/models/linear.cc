#include "models/linear.h"

#include <array>

#include "base/check.h"

namespace smelt {
namespace {

constexpr size_t kMaxOutputs = 4;  // layers of one input

const float* bias_of(const Linear& linear) { return linear.bias.empty() ? nullptr : linear.bias.data(); }

void f32_layer(const LinearInput& input, int64_t m, const LinearOutput& output, const LinearContext& context) {
  float* out = output.add ? context.sum_scratch : output.out;
  matmul_into({.x = input.values,
               .m = m,
               .w = output.linear.w,
               .bias = bias_of(output.linear),
               .out = out,
               .bf16_products = output.linear.is_bf16 && context.arithmetic == QArithmetic::prefill},
              context.f32_scratch, context.threads);
  if (output.add) add_in_place(output.out, out, m * output.linear.w.rows());
}

QMatrix packed_layer(const LinearOutput& output) {
  return {.w = output.linear.w,
          .bias = bias_of(output.linear),
          .out = output.out,
          .out_stride = output.linear.w.rows(),
          .add = output.add};
}

QuantizedRows first_rows(const QuantizedRows& rows, int64_t m) {
  QuantizedRows first = rows;
  first.m = m;
  return first;
}

void show(const LinearInput& input, int64_t m, std::initializer_list<LinearOutput> outputs, LinearObserver& observer) {
  std::array<TensorView, kMaxOutputs> readers;
  size_t n = 0;
  for (const LinearOutput& output : outputs) readers[n++] = output.linear.w;
  observer.observe({readers.data(), n}, input.values, m);
}

}  // namespace

LinearInput make_input(std::initializer_list<const Linear*> readers, float* values, const QuantizedRows& quantized) {
  LinearInput input{.values = values, .quantized = quantized};
  for (const Linear* reader : readers) (reader->is_int8 ? input.wants_quantized : input.wants_values) = true;
  return input;
}

LinearInput rows_from(const LinearInput& input, int64_t row, int64_t k) {
  LinearInput rest = input;
  rest.values += row * k;
  rest.quantized.blocks += row * input.quantized.blocks_a_row();
  rest.quantized.poison += row;
  rest.quantized.m -= row;
  return rest;
}

void norm_into(const float* x, const Norm& norm, const LinearInput& out, int64_t m, const LinearContext& context) {
  const auto n = static_cast<int64_t>(norm.weight.size());
  for_rows(context.threads, m, n, [&](int64_t i) {
    rms_norm_into(x + i * n, norm.weight.data(), n, norm.eps, out.values + i * n);
    if (out.wants_quantized) quantize_row_into(out.values + i * n, i, context.arithmetic, out.quantized);
  });
}

void quantize_values(const LinearInput& input, int64_t m, const LinearContext& context) {
  if (!input.wants_quantized) return;
  const int64_t k = input.quantized.k;
  for_rows(context.threads, m, k,
           [&](int64_t i) { quantize_row_into(input.values + i * k, i, context.arithmetic, input.quantized); });
}

void linear_into(const LinearInput& input, int64_t m, std::initializer_list<LinearOutput> outputs,
                 const LinearContext& context) {
  SMELT_CHECK(outputs.size() <= kMaxOutputs);
  if (context.observer != nullptr) show(input, m, outputs, *context.observer);
  std::array<QMatrix, kMaxOutputs> packed;
  size_t n_packed = 0;
  for (const LinearOutput& output : outputs) {
    if (output.linear.is_int8)
      packed[n_packed++] = packed_layer(output);
    else
      f32_layer(input, m, output, context);
  }
  if (n_packed == 0) return;
  qmatmul_into(first_rows(input.quantized, m), {packed.data(), n_packed}, context.arithmetic,
               {context.q_scratch, context.threads});
}

void swiglu_into(const LinearInput& input, int64_t m, const SwigluLayers& layers, const LinearInput& out,
                 const LinearContext& context) {
  const auto& [gate, up, gate_values, up_values] = layers;
  if (!out.wants_values && gate.is_int8 && up.is_int8 && can_fuse_swiglu(gate.w, up.w)) {
    qmatmul_swiglu_into(first_rows(input.quantized, m), packed_layer({gate, nullptr}), packed_layer({up, nullptr}),
                        context.arithmetic, out.quantized, {context.q_scratch, context.threads});
    return;
  }
  linear_into(input, m, {{gate, gate_values}, {up, up_values}}, context);
  const int64_t n = gate.w.rows();
  for_rows(context.threads, m, n, [&, values = gate_values, ups = up_values](int64_t i) {
    swiglu_in_place(values + i * n, ups + i * n, n);
    if (out.wants_quantized) quantize_row_into(values + i * n, i, context.arithmetic, out.quantized);
  });
}

}  // namespace smelt
