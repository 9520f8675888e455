// The forward pass of all decoder families: pre-norm layers of grouped-query attention and a feed-forward, with what
// ModelConfig and the family's tensors add to that or leave out. Weights: decoder_weights.h; how a family says in what
// it differs: family.h. A step that a model does not have costs a branch a layer.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "kernels/kernels.h"
#include "models/decoder.h"
#include "models/layers/activation.h"
#include "models/layers/decoder_weights.h"
#include "models/layers/mixture.h"
#include "models/layers/pass.h"
#include "models/layers/rotation.h"
#include "models/layers/workspace.h"

namespace smelt {
namespace {

class Decoder final : public Model {
 public:
  Decoder(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint, DecoderWeights weights,
          PackedWeights packed)
      : Model(std::move(config), std::move(checkpoint)), packed_(std::move(packed)), weights_(std::move(weights)) {}

  void forward(const ForwardArgs& args, ThreadPool& threads) const override;
  int64_t workspace_floats(int64_t m_max, int64_t capacity, int n_threads) const override {
    return plan_workspace(config_, nullptr, {m_max, capacity, n_threads}).floats;
  }

 private:
  // One forward pass: what every step needs.
  struct Pass {
    const Decoder& model;
    const ModelConfig& c;
    const ForwardArgs& args;
    ThreadPool& threads;
    int64_t m;
    Workspace w;

    void embed() const;
    void place_tokens() const;
    void make_angles(int64_t token) const;
    void layer(size_t layer) const;
    LinearInput attention(size_t layer, const LinearContext& context) const;
    LinearInput feed_forward(const LayerWeights& l, const LinearContext& context) const;
    void mixture(const LayerWeights& l, const LinearContext& context) const;
    void add_output(const Linear& linear, const LinearInput& input, const NormWeights& norm,
                    const LinearContext& context) const;
    void bound_qkv() const;
    void rotate(float* x, int64_t n_heads, const LayerConfig& layer) const;
    void attend(size_t layer) const;
    void head() const;
    void finish_logits(int64_t n_rows) const;
    LinearContext linear_context(int64_t rows) const;
  };

  PackedWeights packed_;  // what views of weights_ show
  DecoderWeights weights_;
};

// The longest sequence, this pass included.
int64_t longest(std::span<const SequenceSlice> slices) {
  int64_t n = 0;
  for (const SequenceSlice& slice : slices) n = std::max(n, slice.position + slice.n_tokens);
  return n;
}

void Decoder::forward(const ForwardArgs& args, ThreadPool& threads) const {
  SMELT_CHECK(args.kind == PassKind::decode || args.slices.size() == 1);
  const auto m = static_cast<int64_t>(args.tokens.size());
  const Workspace w = plan_workspace(config_, args.workspace, {m, longest(args.slices), threads.size()});
  const Pass pass{*this, config_, args, threads, m, w};
  pass.embed();  // x [m][d_model]; cos, sin [m][n_rope/2]
  for (size_t l = 0; l < weights_.layers.size(); ++l) pass.layer(l);
  pass.head();  // logits [sum of n_logits][n_vocab], or hidden [sum of n_logits][d_model]
}

void Decoder::Pass::layer(size_t layer) const {
  const LayerWeights& l = model.weights_.layers[layer];
  const LinearContext context = linear_context(m);
  const LinearInput mixed = attention(layer, context);                          // [m][n_heads][d_head]
  if (!c.parallel_residual) add_output(l.o, mixed, l.attn_post_norm, context);  // x += o
  if (c.n_experts > 0) {
    mixture(l, context);  // x += the experts' sum
    return;
  }
  const LinearInput inner = feed_forward(l, context);                          // [m][d_ff]
  if (c.parallel_residual) add_output(l.o, mixed, l.attn_post_norm, context);  // x += o
  add_output(l.ffn.down, inner, l.ffn_post_norm, context);                     // x += down
}

LinearInput Decoder::Pass::attention(size_t layer, const LinearContext& context) const {
  const LayerWeights& l = model.weights_.layers[layer];
  const LinearInput in = make_input({&l.q, &l.k, &l.v}, w.h, w.hq);
  norm_rows_into(w.x, c.d_model, l.attn_norm, in, m, context);        // h [m][d_model]
  linear_into(in, m, {{l.q, w.q}, {l.k, w.k}, {l.v, w.v}}, context);  // q, k, v [m][heads][d_head]
  if (c.qkv_clamp > 0) bound_qkv();
  const int64_t parts = c.qk_norm == QkNorm::heads ? 1 : 0;  // rows are whole, or heads
  if (l.q_norm.exists()) norm_rows_in_place(w.q, parts == 0 ? m : m * c.n_heads, l.q_norm, threads);
  if (l.k_norm.exists()) norm_rows_in_place(w.k, parts == 0 ? m : m * c.n_kv_heads, l.k_norm, threads);
  rotate(w.q, c.n_heads, c.layers[layer]);
  rotate(w.k, c.n_kv_heads, c.layers[layer]);
  attend(layer);  // mixed [m][n_heads][d_head]
  const LinearInput mixed = make_input({&l.o}, w.mixed, w.mixed_q);
  if (l.attn_sub_norm.exists()) {
    norm_rows_into(w.mixed, c.n_heads * c.d_head, l.attn_sub_norm, mixed, m, context);
  } else {
    quantize_values(mixed, m, context);
  }
  return mixed;
}

LinearInput Decoder::Pass::feed_forward(const LayerWeights& l, const LinearContext& context) const {
  const Linear* gate = c.gated ? &l.ffn.gate : nullptr;
  const LinearInput in = c.gated ? make_input({&l.ffn.gate, &l.ffn.up}, w.h, w.hq) : make_input({&l.ffn.up}, w.h, w.hq);
  const LinearInput inner = make_input({&l.ffn.down}, w.gate, w.gate_q);
  norm_rows_into(w.x, c.d_model, l.ffn_norm, in, m, context);  // h [m][d_model]
  if (!l.ffn_sub_norm.exists()) {
    feed_forward_into(in, m, {gate, &l.ffn.up, w.gate, w.up}, c.activation, inner, context);
    return inner;
  }
  const LinearInput values = {.values = w.gate, .quantized = {}, .wants_values = true};
  feed_forward_into(in, m, {gate, &l.ffn.up, w.gate, w.up}, c.activation, values, context);
  norm_rows_into(w.gate, c.d_ff, l.ffn_sub_norm, inner, m, context);
  return inner;
}

void Decoder::Pass::mixture(const LayerWeights& l, const LinearContext& context) const {
  const LinearInput in = make_mixture_input(l, w.h, w.hq);
  norm_rows_into(w.x, c.d_model, l.ffn_norm, in, m, context);  // h [m][d_model]
  add_mixture({.weights = l, .config = c, .buffers = w.mixture, .context = context, .m = m}, in, w.x);
}

// x += linear(input), normed and scaled on the way where the model does that.
void Decoder::Pass::add_output(const Linear& linear, const LinearInput& input, const NormWeights& norm,
                               const LinearContext& context) const {
  if (!norm.exists() && c.residual_scale == 1.0F) {
    linear_into(input, m, {{linear, w.x, true}}, context);
    return;
  }
  linear_into(input, m, {{linear, w.h}}, context);
  if (norm.exists()) norm_rows_in_place(w.h, m, norm, threads);
  for_rows(threads, m, c.d_model, [&](int64_t i) {
    float* x = w.x + i * c.d_model;
    const float* h = w.h + i * c.d_model;
    for (int64_t j = 0; j < c.d_model; ++j) x[j] += c.residual_scale * h[j];
  });
}

void clamp(float* x, int64_t n, float limit) {
  for (int64_t i = 0; i < n; ++i) x[i] = std::clamp(x[i], -limit, limit);
}

void Decoder::Pass::bound_qkv() const {
  clamp(w.q, m * c.n_heads * c.d_head, c.qkv_clamp);
  clamp(w.k, m * c.n_kv_heads * c.d_head, c.qkv_clamp);
  clamp(w.v, m * c.n_kv_heads * c.d_head, c.qkv_clamp);
}

void Decoder::Pass::head() const {
  const Linear& head = model.weights_.head;
  const int64_t n = logits_into({model.weights_.output_norm, head, c.d_model}, w.x, make_input({&head}, w.h, w.hq),
                                args, linear_context(count_logits(args)));
  if (args.hidden == nullptr && (c.logit_scale != 1.0F || c.logit_cap > 0)) finish_logits(n);
}

void Decoder::Pass::finish_logits(int64_t n_rows) const {
  for_rows(threads, n_rows, c.n_vocab, [&](int64_t i) {
    float* row = args.logits + i * c.n_vocab;
    for (int64_t j = 0; j < c.n_vocab; ++j) row[j] *= c.logit_scale;
    if (c.logit_cap <= 0) return;
    for (int64_t j = 0; j < c.n_vocab; ++j) row[j] = c.logit_cap * std::tanh(row[j] / c.logit_cap);
  });
}

LinearContext Decoder::Pass::linear_context(int64_t rows) const {
  return pass_context(args, rows, {w.matmul, w.qmatmul, w.h}, threads);
}

// Dynamic NTK scaling: the base that spreads the trained rotations over `room` positions.
float grown_rope_base(const ModelConfig& c, int64_t room) {
  const float longer = c.ntk_factor * static_cast<float>(room) / static_cast<float>(c.n_ctx_train) - (c.ntk_factor - 1);
  return c.rope_base * std::pow(longer, static_cast<float>(c.n_rope) / static_cast<float>(c.n_rope - 2));
}

// A sequence with room beyond the positions of the short frequencies takes the long ones from its beginning: keys of
// both kinds do not mix.
void Decoder::Pass::place_tokens() const {
  TokenPlace* place = w.places;
  const auto in_blocks = [](int64_t n) { return (n + kKvBlock - 1) / kKvBlock * kKvBlock; };
  for (const SequenceSlice& slice : args.slices) {
    const int64_t room = slice.kv[0].n_blocks * kKvBlock;
    const bool is_long = !c.long_inv_freq.empty() && room > c.n_ctx_short;
    const bool grows = c.ntk_factor > 0 && room > in_blocks(c.n_ctx_train);
    for (int64_t i = 0; i < slice.n_tokens; ++i) *place++ = {slice.position + i, is_long, grows ? room : 0};
  }
}

void Decoder::Pass::embed() const {
  const DecoderWeights& weights = model.weights_;
  place_tokens();
  embed_tokens_into(weights.embedding, args.tokens, w.stock_row, w.x, threads);
  for_rows(threads, m, c.d_model, [&](int64_t i) {
    float* x = w.x + i * c.d_model;
    if (c.embedding_scale != 1.0F) {
      for (int64_t j = 0; j < c.d_model; ++j) x[j] *= c.embedding_scale;
    }
    if (c.learned_positions) {
      const int64_t row = std::min(w.places[i].position, c.n_ctx_train - 1);
      add_in_place(x, weights.positions.data() + row * c.d_model, c.d_model);
    }
    if (c.n_rope > 0) make_angles(i);
  });
}

void Decoder::Pass::make_angles(int64_t i) const {
  const int64_t half = c.n_rope / 2;
  const TokenPlace place = w.places[i];
  const std::vector<float>& inv_freq = place.is_long ? c.long_inv_freq : c.inv_freq;
  float* cos = w.rope.cos + i * half;
  float* sin = w.rope.sin + i * half;
  if (place.ntk_room > 0) {
    const float base = grown_rope_base(c, place.ntk_room);
    for (int64_t j = 0; j < half; ++j) {
      const float frequency = std::pow(base, -2.0F * static_cast<float>(j) / static_cast<float>(c.n_rope));
      rope_angles_into(&frequency, 2, place.position, cos + j, sin + j);
    }
  } else {
    rope_angles_into(inv_freq.data(), c.n_rope, place.position, cos, sin);
  }
  if (c.rope_magnitude != 1.0F) {
    for (int64_t j = 0; j < half; ++j) {
      cos[j] *= c.rope_magnitude;
      sin[j] *= c.rope_magnitude;
    }
  }
  if (c.local_inv_freq.empty()) return;
  rope_angles_into(c.local_inv_freq.data(), c.n_rope, place.position, w.local_rope.cos + i * half,
                   w.local_rope.sin + i * half);
}

void Decoder::Pass::rotate(float* x, int64_t n_heads, const LayerConfig& layer) const {
  if (!layer.rotates || c.n_rope == 0) return;
  rotate_rows({x, m, n_heads}, c, layer.local_rope ? w.local_rope : w.rope, threads);
}

void Decoder::Pass::attend(size_t layer) const {
  const int64_t d_q = c.n_heads * c.d_head;
  const int64_t d_kv = c.n_kv_heads * c.d_head;
  int64_t first = 0;  // token of the slice
  for (size_t i = 0; i < args.slices.size(); ++i) {
    const SequenceSlice& slice = args.slices[i];
    store_kv({.k = w.k + first * d_kv,
              .v = w.v + first * d_kv,
              .stride = d_kv,
              .m = slice.n_tokens,
              .position = slice.position,
              .n_kv_heads = c.n_kv_heads,
              .d_head = c.d_head},
             slice.kv[layer], threads);
    w.slices[i] = {.q = w.q + first * d_q,
                   .m = slice.n_tokens,
                   .position = slice.position,
                   .kv = slice.kv[layer],
                   .out = w.mixed + first * d_q};
    first += slice.n_tokens;
  }
  const float scale = c.attention_scale > 0 ? c.attention_scale : 1.0F / std::sqrt(static_cast<float>(c.d_head));
  attention_into({.slices = {w.slices, args.slices.size()},
                  .q_stride = d_q,
                  .out_stride = d_q,
                  .n_heads = c.n_heads,
                  .n_kv_heads = c.n_kv_heads,
                  .d_head = c.d_head,
                  .window = c.layers[layer].window,
                  .scale = scale,
                  .cap = c.attention_cap},
                 w.attention, threads);
}

}  // namespace

Result<std::shared_ptr<const Model>> load_decoder(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                                  Compute compute, const ModelFamily& family) {
  SMELT_ASSIGN(DecoderWeights weights, bind_decoder_weights(*checkpoint, config, family));
  PackedWeights packed;
  if (compute == Compute::int8) {
    TensorView* embedding = config.tied_head ? &weights.embedding : nullptr;
    SMELT_ASSIGN(packed, pack_linears(linears_of(weights), embedding, *checkpoint));
  }
  return std::shared_ptr<const Model>(
      std::make_shared<Decoder>(std::move(config), std::move(checkpoint), std::move(weights), std::move(packed)));
}

}  // namespace smelt
