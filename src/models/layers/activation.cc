#include "models/layers/activation.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace smelt {
namespace {

// gelu(x) = x * sigmoid(2 u) with u = c x (1 + 0.044715 x^2), c = sqrt(2/pi) (Hendrycks & Gimpel, arXiv 1606.08415).
// As silu(2 u) = 2 u * sigmoid(2 u), that is silu(2 u) / (2 c (1 + 0.044715 x^2)): the vector kernel of SwiGLU does it.
void gelu_tanh_in_place(float* x, float* factors, int64_t n) {
  constexpr float kTwoC = 1.5957691216057308F;
  for (int64_t i = 0; i < n; ++i) {
    const float stretch = kTwoC * (1.0F + 0.044715F * x[i] * x[i]);
    factors[i] /= stretch;
    x[i] *= stretch;
  }
  swiglu_in_place(x, factors, n);
}

void gelu_erf_in_place(float* x, const float* factors, int64_t n) {
  constexpr float kSqrtHalf = std::numbers::sqrt2_v<float> / 2;
  for (int64_t i = 0; i < n; ++i) x[i] = 0.5F * x[i] * (1.0F + std::erf(x[i] * kSqrtHalf)) * factors[i];
}

void relu_in_place(float* x, const float* factors, int64_t n) {
  for (int64_t i = 0; i < n; ++i) x[i] = (x[i] > 0 || std::isnan(x[i]) ? x[i] : 0.0F) * factors[i];
}

void relu_squared_in_place(float* x, const float* factors, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    const float positive = x[i] > 0 || std::isnan(x[i]) ? x[i] : 0.0F;
    x[i] = positive * positive * factors[i];
  }
}

}  // namespace

void activate_in_place(Activation activation, float* x, float* factors, int64_t n) {
  switch (activation) {
    case Activation::silu:
      return swiglu_in_place(x, factors, n);
    case Activation::gelu_tanh:
      return gelu_tanh_in_place(x, factors, n);
    case Activation::gelu_erf:
      return gelu_erf_in_place(x, factors, n);
    case Activation::relu_squared:
      return relu_squared_in_place(x, factors, n);
    case Activation::relu:
      return relu_in_place(x, factors, n);
  }
}

void feed_forward_into(const LinearInput& input, int64_t m, const FeedForwardLayers& layers, Activation activation,
                       const LinearInput& out, const LinearContext& context) {
  const auto& [gate, up, gate_values, up_values] = layers;
  if (gate != nullptr && activation == Activation::silu) {
    swiglu_into(input, m, {*gate, *up, gate_values, up_values}, out, context);
    return;
  }
  const int64_t n = up->w.rows();
  if (gate != nullptr) {
    linear_into(input, m, {{*gate, gate_values}, {*up, up_values}}, context);
  } else {
    linear_into(input, m, {{*up, gate_values}}, context);
  }
  for_rows(context.threads, m, n, [&, has_gate = gate != nullptr, x = gate_values, factors = up_values](int64_t i) {
    if (!has_gate) std::fill_n(factors + i * n, n, 1.0F);
    activate_in_place(activation, x + i * n, factors + i * n, n);
    if (out.wants_quantized) quantize_row_into(x + i * n, i, context.arithmetic, out.quantized);
  });
}

}  // namespace smelt
