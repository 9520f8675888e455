#include "models/layers/mixture.h"

#include <algorithm>
#include <cmath>

#include "models/layers/activation.h"

namespace smelt {
namespace {

// The k largest of n probabilities, the first of equal ones, and their shares.
void choose(const float* scores, const ModelConfig& c, int32_t* chosen, float* shares) {
  for (int64_t k = 0; k < c.n_experts_used; ++k) {
    int64_t best = -1;
    for (int64_t e = 0; e < c.n_experts; ++e) {
      const bool is_taken = std::find(chosen, chosen + k, static_cast<int32_t>(e)) != chosen + k;
      // What is not a number is never greater: the first expert that is left stands in, and the share shows it.
      if (!is_taken && (best < 0 || scores[e] > scores[best])) best = e;
    }
    chosen[k] = static_cast<int32_t>(best);
    shares[k] = scores[best];
  }
  if (!c.norm_expert_weights) return;
  float sum = 0;
  for (int64_t k = 0; k < c.n_experts_used; ++k) sum += shares[k];
  for (int64_t k = 0; k < c.n_experts_used; ++k) shares[k] /= sum;
}

void route(const MixtureArgs& args, const LinearInput& input) {
  const auto& [weights, c, b, context, m] = args;
  linear_into(input, m, {{weights.router, b.scores}}, context);
  for_rows(context.threads, m, c.n_experts * c.n_experts_used, [&, &config = c, &buffers = b](int64_t i) {
    float* scores = buffers.scores + i * config.n_experts;
    softmax_in_place(scores, config.n_experts);
    choose(scores, config, buffers.chosen + i * config.n_experts_used, buffers.shares + i * config.n_experts_used);
  });
}

// The tokens that go through an expert; their number.
int64_t find_tokens(const MixtureArgs& args, int64_t expert) {
  const MixtureBuffers& b = args.buffers;
  const int64_t used = args.config.n_experts_used;
  int64_t n = 0;
  for (int64_t i = 0; i < args.m; ++i) {
    const int32_t* chosen = b.chosen + i * used;
    const int32_t* at = std::find(chosen, chosen + used, static_cast<int32_t>(expert));
    if (at == chosen + used) continue;
    b.rows[n] = static_cast<int32_t>(i);
    b.row_shares[n++] = b.shares[i * used + (at - chosen)];
  }
  return n;
}

void gather(const MixtureArgs& args, const LinearInput& from, int64_t n, const LinearInput& to) {
  const int64_t d = args.config.d_model;
  for_rows(args.context.threads, n, d, [&](int64_t i) {
    const float* row = from.values + args.buffers.rows[i] * d;
    if (to.wants_values) std::copy_n(row, d, to.values + i * d);
    if (to.wants_quantized) quantize_row_into(row, i, args.context.arithmetic, to.quantized);
  });
}

// out [n][d_model] = the expert of n rows.
void run_expert(const MixtureArgs& args, const FeedForward& expert, const LinearInput& in, int64_t n,
                const InnerBuffers& buffers) {
  const LinearInput inner = make_input({&expert.down}, buffers.gate, buffers.quantized);
  feed_forward_into(in, n, {&expert.gate, &expert.up, buffers.gate, buffers.up}, args.config.activation, inner,
                    args.context);
  linear_into(inner, n, {{expert.down, args.buffers.out}}, args.context);
}

void add_scaled(float* x, const float* y, int64_t n, float scale) {
  for (int64_t i = 0; i < n; ++i) x[i] += scale * y[i];
}

void add_shared(const MixtureArgs& args, const LinearInput& input, float* x) {
  const auto& [weights, c, b, context, m] = args;
  run_expert(args, weights.shared, input, m, b.shared);
  const int64_t d = c.d_model;
  for_rows(context.threads, m, d, [&, &gate = weights.shared_gate, out = b.out](int64_t i) {
    const float* h = input.values + i * d;
    double score = 0;
    for (int64_t j = 0; j < d; ++j)
      score += static_cast<double>(h[j]) * static_cast<double>(gate[static_cast<size_t>(j)]);
    add_scaled(x + i * d, out + i * d, d, static_cast<float>(1.0 / (1.0 + std::exp(-score))));
  });
}

}  // namespace

LinearInput make_mixture_input(const LayerWeights& weights, float* values, const QuantizedRows& quantized) {
  LinearInput input = make_input({&weights.router}, values, quantized);
  // Experts' rows are gathered from the values, in the form that each needs.
  input.wants_values = true;
  if (!weights.shared_gate.empty() && (weights.shared.gate.is_int8 || weights.shared.up.is_int8)) {
    input.wants_quantized = true;
  }
  return input;
}

void add_mixture(const MixtureArgs& args, const LinearInput& input, float* x) {
  const auto& [weights, c, b, context, m] = args;
  const int64_t d = c.d_model;
  route(args, input);
  for (int64_t e = 0; e < c.n_experts; ++e) {
    const int64_t n = find_tokens(args, e);
    if (n == 0) continue;
    const FeedForward& expert = weights.experts[static_cast<size_t>(e)];
    const LinearInput in = make_input({&expert.gate, &expert.up}, b.gathered, b.gathered_q);
    gather(args, input, n, in);
    run_expert(args, expert, in, n, b.expert);
    for_rows(context.threads, n, d, [&, &buffers = b](int64_t i) {
      add_scaled(x + buffers.rows[i] * d, buffers.out + i * d, d, buffers.row_shares[i]);
    });
  }
  if (c.d_ff_shared > 0) add_shared(args, input, x);
}

}  // namespace smelt
