// The two sequential steps of selective state-space layers (Mamba-2: Dao & Gu, arXiv 2405.21060), f32: a causal
// convolution of each channel, and the scan over the state. A token's result depends on the sequence before it only,
// bit for bit: not on how the sequence is parted into calls. Instruction sets agree to 1e-5 relative on ordinary
// values. NaN and infinity pass through as arithmetic has it.
#pragma once

#include <cstdint>

#include "kernels/isa.h"

namespace smelt {

inline constexpr int64_t kMaxSsmTaps = 16;

// out[i] = bias[i] + sum over j of weights[j][i] * taps[j][i], over n channels; taps[j] is the row of the token
// n_taps - 1 - j before, weights is [n_taps][n]. 1 <= n_taps <= kMaxSsmTaps. out overlaps nothing.
struct SsmConvolution {
  const float* const* taps;
  int64_t n_taps;
  const float* weights;
  const float* bias;
  int64_t n;
  float* out;
};
void ssm_convolve(const SsmConvolution& convolution, Isa isa = chosen_isa());

// One head over n_tokens tokens, one after another; h is state [d_head][d_state], kept from call to call:
//   h[p][n] = decay[t] * h[p][n] + (step[t] * x[t][p]) * b[t][n]
//   out[t][p] = sum over n of h[p][n] * c[t][n] + skip * x[t][p]
// Rows of x and out, of b and c, of decay and step are x_stride, out_stride, bc_stride and step_stride values apart.
// out overlaps nothing.
struct SsmScan {
  int64_t n_tokens, d_head, d_state;
  const float *x, *b, *c, *decay, *step;
  float skip;
  float *state, *out;
  int64_t x_stride, out_stride, bc_stride, step_stride;
};
void ssm_scan(const SsmScan& scan, Isa isa = chosen_isa());

}  // namespace smelt
