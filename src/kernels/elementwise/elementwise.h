// Norms, activations and other row-wise operations, f32. Results do not depend on anything but the row and the
// instruction set; instruction sets agree to 4e-6 relative on ordinary values. NaN and infinity pass through as
// arithmetic has it.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

// out = x / sqrt(mean(x^2) + eps) * weight, over n values (Zhang & Sennrich, arXiv 1910.07467). out may be x.
void rms_norm_into(const float* x, const float* weight, int64_t n, float eps, float* out, Isa isa = chosen_isa());
// gate = silu(gate) * up, over n values (SwiGLU, Shazeer, arXiv 2002.05202).
void swiglu_in_place(float* gate, const float* up, int64_t n, Isa isa = chosen_isa());
// x += y.
void add_in_place(float* x, const float* y, int64_t n);
// Softmax over n values, in place, stable. n >= 1.
void softmax_in_place(float* x, int64_t n, Isa isa = chosen_isa());
// log(sum(exp(x))) in double, stable.
double log_sum_exp(const float* x, int64_t n);
bool all_finite(const float* x, int64_t n);

}  // namespace smelt
