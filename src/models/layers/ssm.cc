// The forward pass of state-space models: layers of one projection in, a short convolution, the scan over the state, a
// gated norm and a projection out. Projections take all tokens of a pass at once; the scan goes token by token
// (kernels/ssm), so that a token's logits do not depend on how the sequence is parted into passes.
#include "models/layers/ssm.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "kernels/kernels.h"
#include "models/layers/pass.h"
#include "models/layers/ssm_weights.h"
#include "models/layers/taker.h"

namespace smelt {
namespace {

struct Workspace {
  float *x, *h, *in, *mixed, *y, *steps, *decays, *matmul, *qmatmul;
  QuantizedRows hq, yq;
  std::byte* stock_rows;
  int64_t floats;
};

Workspace plan_workspace(const ModelConfig& c, float* base, int64_t m, int n_threads) {
  const int64_t d_inner = c.ssm.d_inner;
  const int64_t d_conv = c.ssm.d_conv();
  Taker take(base);
  Workspace w{};
  w.x = take.floats(m * c.d_model);
  w.h = take.floats(m * c.d_model);
  w.in = take.floats(m * (d_inner + d_conv + c.n_heads));
  w.mixed = take.floats(m * d_conv);
  w.y = take.floats(m * d_inner);
  w.steps = take.floats(m * c.n_heads);
  w.decays = take.floats(m * c.n_heads);
  w.hq = take.quantized(m, c.d_model);
  w.yq = take.quantized(m, d_inner);
  w.matmul = take.floats(matmul_scratch_floats(m, std::max(c.d_model, d_inner), n_threads));
  w.qmatmul = take.floats(qmatmul_scratch_floats(m, n_threads));
  w.stock_rows = reinterpret_cast<std::byte*>(take.floats(m * c.d_model));
  w.floats = take.used();
  return w;
}

class SsmModel final : public Model {
 public:
  SsmModel(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint, SsmWeights weights, PackedWeights packed)
      : Model(std::move(config), std::move(checkpoint)),
        packed_(std::move(packed)),
        weights_(std::move(weights)),
        ones_(static_cast<size_t>(config_.ssm.d_conv()), 1.0F) {}

  void forward(const ForwardArgs& args, ThreadPool& threads) const override;
  int64_t workspace_floats(int64_t m_max, int64_t /*capacity*/, int n_threads) const override {
    return plan_workspace(config_, nullptr, m_max, n_threads).floats;
  }
  SequenceMemory sequence_memory(int64_t /*capacity*/) const override {
    return {.floats = config_.n_layers * layer_floats(), .is_recurrent = true};
  }

 private:
  // A sequence's tokens in a pass, and its state in one layer.
  struct Part {
    int64_t first, n;  // rows of the pass
    float* rows;       // [n_taps - 1][d_conv]: what the convolution took last
    float* state;      // [n_heads][d_head][d_state]
  };
  struct Pass {
    const SsmModel& model;
    const ModelConfig& c;
    const ForwardArgs& args;
    ThreadPool& threads;
    int64_t m;
    Workspace w;

    void layer(size_t layer) const;
    void convolve(const SsmLayer& l, const Part& part) const;
    void keep_rows(const Part& part) const;
    void scan(const SsmLayer& l, const Part& part) const;
    void time_steps(const SsmLayer& l) const;
    void gate(const SsmLayer& l, const LinearInput& out, const LinearContext& context) const;
    int64_t d_in() const { return c.ssm.d_inner + c.ssm.d_conv() + c.n_heads; }
    const float* convolved(int64_t row) const { return w.in + row * d_in() + c.ssm.d_inner; }
    PassScratch scratch() const { return {w.matmul, w.qmatmul, w.h}; }
  };

  int64_t rows_floats() const { return (config_.ssm.n_taps - 1) * config_.ssm.d_conv(); }
  int64_t layer_floats() const { return rows_floats() + config_.ssm.d_inner * config_.ssm.d_state; }

  PackedWeights packed_;  // what views of weights_ show
  SsmWeights weights_;
  std::vector<float> ones_;
};

void SsmModel::forward(const ForwardArgs& args, ThreadPool& threads) const {
  SMELT_CHECK(args.kind == PassKind::decode || args.slices.size() == 1);
  const auto m = static_cast<int64_t>(args.tokens.size());
  const Pass pass{*this, config_, args, threads, m, plan_workspace(config_, args.workspace, m, threads.size())};
  for (const SequenceSlice& slice : args.slices) {
    if (slice.position == 0) std::fill_n(slice.state, config_.n_layers * layer_floats(), 0.0F);
  }
  embed_tokens_into(weights_.embedding, args.tokens, pass.w.stock_rows, pass.w.x, threads);  // x [m][d_model]
  for (size_t l = 0; l < weights_.layers.size(); ++l) pass.layer(l);
  logits_into({weights_.norm, weights_.head, config_.d_model}, pass.w.x,
              make_input({&weights_.head}, pass.w.h, pass.w.hq), args,
              pass_context(args, count_logits(args), pass.scratch(), threads));
}

void SsmModel::Pass::layer(size_t layer) const {
  const SsmLayer& l = model.weights_.layers[layer];
  const LinearContext context = pass_context(args, m, scratch(), threads);
  const LinearInput h = make_input({&l.in}, w.h, w.hq);
  norm_rows_into(w.x, c.d_model, l.norm, h, m, context);  // h [m][d_model]
  linear_into(h, m, {{l.in, w.in}}, context);             // in [m][d_inner + d_conv + n_heads]
  time_steps(l);                                          // steps, decays [m][n_heads]
  int64_t first = 0;
  for (const SequenceSlice& slice : args.slices) {
    float* state = slice.state + static_cast<int64_t>(layer) * model.layer_floats();
    const Part part = {first, slice.n_tokens, state, state + model.rows_floats()};
    convolve(l, part);  // mixed [n][d_conv]: x, b, c
    keep_rows(part);
    scan(l, part);  // y [n][d_inner]
    first += slice.n_tokens;
  }
  const LinearInput y = make_input({&l.out}, w.y, w.yq);
  gate(l, y, context);
  linear_into(y, m, {{l.out, w.x, true}}, context);  // x += out
}

// step = softplus(projected + bias); decay = exp(step * a).
void SsmModel::Pass::time_steps(const SsmLayer& l) const {
  constexpr float kLinear = 20;  // beyond, softplus(x) is x in f32
  for_rows(threads, m, 32 * c.n_heads, [&](int64_t i) {
    const float* raw = convolved(i) + c.ssm.d_conv();
    for (int64_t h = 0; h < c.n_heads; ++h) {
      const float x = raw[h] + l.dt[static_cast<size_t>(h)];
      const float step = x > kLinear ? x : std::log1p(std::exp(x));
      w.steps[i * c.n_heads + h] = step;
      w.decays[i * c.n_heads + h] = std::exp(step * l.a[static_cast<size_t>(h)]);
    }
  });
}

void SsmModel::Pass::convolve(const SsmLayer& l, const Part& part) const {
  const int64_t d_conv = c.ssm.d_conv();
  const int64_t n_kept = c.ssm.n_taps - 1;
  for_rows(threads, part.n, 8 * d_conv, [&](int64_t i) {
    std::array<const float*, kMaxSsmTaps> taps{};
    for (int64_t j = 0; j <= n_kept; ++j) {
      const int64_t at = i - n_kept + j;  // in the part; negative: before it
      taps[static_cast<size_t>(j)] = at >= 0 ? convolved(part.first + at) : part.rows + (at + n_kept) * d_conv;
    }
    float* out = w.mixed + (part.first + i) * d_conv;
    ssm_convolve({.taps = taps.data(),
                  .n_taps = n_kept + 1,
                  .weights = l.taps.data(),
                  .bias = l.bias.data(),
                  .n = d_conv,
                  .out = out});
    swiglu_in_place(out, model.ones_.data(), d_conv);  // silu
  });
}

// The latest n_taps - 1 rows, for the tokens to come.
void SsmModel::Pass::keep_rows(const Part& part) const {
  const int64_t d_conv = c.ssm.d_conv();
  const int64_t n_kept = c.ssm.n_taps - 1;
  for (int64_t j = 0; j < n_kept; ++j) {
    const int64_t at = part.n - n_kept + j;
    const float* from = at >= 0 ? convolved(part.first + at) : part.rows + (at + n_kept) * d_conv;
    std::copy_n(from, d_conv, part.rows + j * d_conv);
  }
}

void SsmModel::Pass::scan(const SsmLayer& l, const Part& part) const {
  const int64_t d_conv = c.ssm.d_conv();
  const int64_t d_inner = c.ssm.d_inner;
  const int64_t d_state = c.ssm.d_state;
  const int64_t heads_a_group = c.n_heads / c.ssm.n_groups;
  const float* mixed = w.mixed + part.first * d_conv;
  for_rows(threads, c.n_heads, part.n * c.d_head * d_state, [&](int64_t h) {
    const float* b = mixed + d_inner + h / heads_a_group * d_state;
    ssm_scan({.n_tokens = part.n,
              .d_head = c.d_head,
              .d_state = d_state,
              .x = mixed + h * c.d_head,
              .b = b,
              .c = b + c.ssm.n_groups * d_state,
              .decay = w.decays + part.first * c.n_heads + h,
              .step = w.steps + part.first * c.n_heads + h,
              .skip = l.skip[static_cast<size_t>(h)],
              .state = part.state + h * c.d_head * d_state,
              .out = w.y + part.first * d_inner + h * c.d_head,
              .x_stride = d_conv,
              .out_stride = d_inner,
              .bc_stride = d_conv,
              .step_stride = c.n_heads});
  });
}

// y = norm(y * silu(gate)), each group of heads by itself, in the form that the last projection wants.
void SsmModel::Pass::gate(const SsmLayer& l, const LinearInput& out, const LinearContext& context) const {
  const int64_t d_inner = c.ssm.d_inner;
  const int64_t width = d_inner / c.ssm.n_groups;
  for_rows(threads, m, 4 * d_inner, [&](int64_t i) {
    float* gated = w.in + i * d_in();
    swiglu_in_place(gated, w.y + i * d_inner, d_inner);
    for (int64_t at = 0; at < d_inner; at += width) {
      rms_norm_into(gated + at, l.gated.data() + at, width, c.norm_eps, w.y + i * d_inner + at);
    }
  });
  quantize_values(out, m, context);
}

}  // namespace

Result<std::shared_ptr<const Model>> load_ssm(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                              Compute compute, const ModelFamily& family) {
  SMELT_ASSIGN(SsmWeights weights, bind_ssm_weights(*checkpoint, config, family));
  PackedWeights packed;
  if (compute == Compute::int8) {
    TensorView* embedding = config.tied_head ? &weights.embedding : nullptr;
    SMELT_ASSIGN(packed, pack_linears(linears_of(weights), embedding, *checkpoint));
  }
  return std::shared_ptr<const Model>(
      std::make_shared<SsmModel>(std::move(config), std::move(checkpoint), std::move(weights), std::move(packed)));
}

}  // namespace smelt
