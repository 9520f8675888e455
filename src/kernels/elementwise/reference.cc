// Portable row-wise operations: the formulas as they are written in the papers.
#include <algorithm>
#include <cmath>

#include "kernels/elementwise/kernel.h"

namespace smelt {
namespace {

void rms_norm(const float* x, const float* weight, int64_t n, float eps, float* out) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  const float mean = static_cast<float>(sum / static_cast<double>(n));
  const float scale = 1.0F / std::sqrt(mean + eps);
  for (int64_t i = 0; i < n; ++i) out[i] = x[i] * scale * weight[i];
}

void swiglu(float* gate, const float* up, int64_t n) {
  for (int64_t i = 0; i < n; ++i) gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

void softmax(float* x, int64_t n) {
  const float top = *std::max_element(x, x + n);  // exp of differences to it cannot overflow
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    x[i] = std::exp(x[i] - top);
    sum += x[i];
  }
  const float scale = 1.0F / sum;
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace

extern const ElementwiseKernel elementwise_reference = {Isa::reference, rms_norm, swiglu, softmax};

}  // namespace smelt
