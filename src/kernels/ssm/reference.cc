// Portable steps of state-space layers: the formulas of ssm.h.
#include "kernels/ssm/kernel.h"

namespace smelt {
namespace {

void convolve(const SsmConvolution& a) {
  for (int64_t i = 0; i < a.n; ++i) {
    float sum = a.bias[i];
    for (int64_t j = 0; j < a.n_taps; ++j) sum += a.weights[j * a.n + i] * a.taps[j][i];
    a.out[i] = sum;
  }
}

void scan(const SsmScan& a) {
  for (int64_t t = 0; t < a.n_tokens; ++t) {
    const float decay = a.decay[t * a.step_stride];
    const float step = a.step[t * a.step_stride];
    const float* b = a.b + t * a.bc_stride;
    const float* c = a.c + t * a.bc_stride;
    for (int64_t p = 0; p < a.d_head; ++p) {
      const float x = a.x[t * a.x_stride + p];
      float* h = a.state + p * a.d_state;
      float sum = 0;
      for (int64_t n = 0; n < a.d_state; ++n) {
        h[n] = decay * h[n] + step * x * b[n];
        sum += h[n] * c[n];
      }
      a.out[t * a.out_stride + p] = sum + a.skip * x;
    }
  }
}

}  // namespace

extern const SsmKernel ssm_reference = {Isa::reference, convolve, scan};

}  // namespace smelt
