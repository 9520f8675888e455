// The forward pass of all families of encoders: layers of attention among all tokens of a text and a feed-forward, with
// norms before each half (ModernBERT), or of x behind it (BERT), as the family's tensors say; and the head that labels
// texts or tokens. How a family says in what it differs: family.h.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "kernels/kernels.h"
#include "models/encoder_family.h"
#include "models/layers/activation.h"
#include "models/layers/decoder_weights.h"
#include "models/layers/label_head.h"
#include "models/layers/pass.h"
#include "models/layers/rotation.h"
#include "models/layers/workspace.h"

namespace smelt {
namespace {

struct EncoderWeights {
  DecoderWeights trunk;
  std::vector<float> token_type;  // [d_model]: of the first type
  NormWeights embedding_norm;
  LabelHeadWeights head;
};

// Keys and values of one layer, one text behind the other.
struct TextCaches {
  std::byte* bytes;
  int64_t block_bytes;
  static int64_t n_blocks(int64_t n_tokens) { return (n_tokens + kKvBlock - 1) / kKvBlock; }
};

struct EncoderWorkspace {
  Workspace base;
  TextCaches caches;
  int64_t floats;
};

KvShape cache_shape(const ModelConfig& c) { return {c.n_kv_heads, c.d_head, KvType::f32}; }

EncoderWorkspace plan_encoder(const ModelConfig& c, float* memory, const EncoderLimits& limits) {
  constexpr int64_t kLine = 16;  // floats
  const Workspace base = plan_workspace(c, memory, {limits.n_tokens, limits.longest, limits.n_threads});
  const int64_t block_bytes = kv_block_bytes(cache_shape(c));
  const int64_t most_blocks = limits.n_tokens / kKvBlock + limits.n_texts;
  const auto cache_floats = most_blocks * block_bytes / static_cast<int64_t>(sizeof(float));
  auto* bytes = memory == nullptr ? nullptr : reinterpret_cast<std::byte*>(memory + base.floats);
  if (bytes != nullptr) bytes += (64 - reinterpret_cast<uintptr_t>(bytes) % 64) % 64;
  return {.base = base,
          .caches = {.bytes = bytes, .block_bytes = block_bytes},
          .floats = base.floats + cache_floats + kLine};
}

class LayeredEncoder final : public Encoder {
 public:
  LayeredEncoder(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint, EncoderWeights weights,
                 PackedWeights packed)
      : Encoder(std::move(config), std::move(checkpoint)), packed_(std::move(packed)), weights_(std::move(weights)) {}

  void forward(const EncoderArgs& args, ThreadPool& threads) const override;
  int64_t workspace_floats(const EncoderLimits& limits) const override {
    return plan_encoder(config_, nullptr, limits).floats;
  }
  void label_rows(std::span<const float> rows, std::span<float> logits, ThreadPool& threads) const override {
    smelt::label_rows(weights_.head, *config_.encoder, rows, logits, threads);
  }

 private:
  // One forward pass: what every step needs.
  struct Pass {
    const LayeredEncoder& model;
    const ModelConfig& c;
    const EncoderArgs& args;
    ThreadPool& threads;
    int64_t m;
    Workspace w;
    TextCaches caches;

    void embed() const;
    void embed_token(int64_t token, int64_t position) const;
    void layer(size_t layer) const;
    LinearInput attention(size_t layer, const LinearContext& context) const;
    void add_half(const Linear& linear, const LinearInput& input, const NormWeights& norm,
                  const LinearContext& context) const;
    void attend(const LayerConfig& layer) const;
    void finish() const;
    LinearContext linear_context() const;
  };

  PackedWeights packed_;  // what views of weights_ show
  EncoderWeights weights_;
};

void LayeredEncoder::forward(const EncoderArgs& args, ThreadPool& threads) const {
  const auto m = static_cast<int64_t>(args.tokens.size());
  const int64_t longest = *std::max_element(args.lengths.begin(), args.lengths.end());
  const EncoderWorkspace w =
      plan_encoder(config_, args.workspace, {m, static_cast<int64_t>(args.lengths.size()), longest, threads.size()});
  const Pass pass{*this, config_, args, threads, m, w.base, w.caches};
  pass.embed();  // x [m][d_model]; cos, sin [m][n_rope/2]
  for (size_t l = 0; l < weights_.trunk.layers.size(); ++l) pass.layer(l);
  pass.finish();  // hidden [m][d_model]
}

void LayeredEncoder::Pass::embed() const {
  int64_t token = 0;
  for (const int64_t length : args.lengths) {
    SMELT_CHECK(length >= 1 && length <= c.n_ctx_train && token + length <= m);
    for_rows(threads, length, c.d_model, [&](int64_t i) { embed_token(token + i, i); });
    token += length;
  }
  SMELT_CHECK(token == m);
}

void LayeredEncoder::Pass::embed_token(int64_t token, int64_t position) const {
  const EncoderWeights& weights = model.weights_;
  const TokenId id = args.tokens[static_cast<size_t>(token)];
  SMELT_CHECK(id >= 0 && id < c.n_vocab);
  float* x = w.x + token * c.d_model;
  decode_matrix_row_into(weights.trunk.embedding, id, w.stock_row + 4 * token * c.d_model, x);
  if (!weights.token_type.empty()) add_in_place(x, weights.token_type.data(), c.d_model);
  if (c.learned_positions) add_in_place(x, weights.trunk.positions.data() + position * c.d_model, c.d_model);
  norm_row_into(x, c.d_model, weights.embedding_norm, x);
  if (c.n_rope == 0) return;
  const int64_t half = c.n_rope / 2;
  rope_angles_into(c.inv_freq.data(), c.n_rope, position, w.rope.cos + token * half, w.rope.sin + token * half);
  if (c.local_inv_freq.empty()) return;
  rope_angles_into(c.local_inv_freq.data(), c.n_rope, position, w.local_rope.cos + token * half,
                   w.local_rope.sin + token * half);
}

void LayeredEncoder::Pass::layer(size_t layer) const {
  const LayerWeights& l = model.weights_.trunk.layers[layer];
  const LinearContext context = linear_context();
  add_half(l.o, attention(layer, context), l.attn_sum_norm, context);  // x += o
  const Linear* gate = c.gated ? &l.ffn.gate : nullptr;
  const LinearInput in = c.gated ? make_input({&l.ffn.gate, &l.ffn.up}, w.h, w.hq) : make_input({&l.ffn.up}, w.h, w.hq);
  const LinearInput inner = make_input({&l.ffn.down}, w.gate, w.gate_q);
  norm_rows_into(w.x, c.d_model, l.ffn_norm, in, m, context);                               // h [m][d_model]
  feed_forward_into(in, m, {gate, &l.ffn.up, w.gate, w.up}, c.activation, inner, context);  // [m][d_ff]
  add_half(l.ffn.down, inner, l.ffn_sum_norm, context);                                     // x += down
}

LinearInput LayeredEncoder::Pass::attention(size_t layer, const LinearContext& context) const {
  const LayerWeights& l = model.weights_.trunk.layers[layer];
  const LayerConfig& config = c.layers[layer];
  const LinearInput in = make_input({&l.q, &l.k, &l.v}, w.h, w.hq);
  norm_rows_into(w.x, c.d_model, l.attn_norm, in, m, context);        // h [m][d_model]
  linear_into(in, m, {{l.q, w.q}, {l.k, w.k}, {l.v, w.v}}, context);  // q, k, v [m][heads][d_head]
  if (c.n_rope > 0) {
    const RopeTable& angles = config.local_rope ? w.local_rope : w.rope;
    rotate_rows({w.q, m, c.n_heads}, c, angles, threads);
    rotate_rows({w.k, m, c.n_kv_heads}, c, angles, threads);
  }
  attend(config);  // mixed [m][n_heads][d_head]
  const LinearInput mixed = make_input({&l.o}, w.mixed, w.mixed_q);
  quantize_values(mixed, m, context);
  return mixed;
}

// x += linear(input), and the sum normed where the model does that.
void LayeredEncoder::Pass::add_half(const Linear& linear, const LinearInput& input, const NormWeights& norm,
                                    const LinearContext& context) const {
  linear_into(input, m, {{linear, w.x, true}}, context);
  if (norm.exists()) norm_rows_in_place(w.x, m, norm, threads);
}

void LayeredEncoder::Pass::attend(const LayerConfig& layer) const {
  const int64_t d_q = c.n_heads * c.d_head;
  const int64_t d_kv = c.n_kv_heads * c.d_head;
  int64_t first = 0;  // token of the text
  std::byte* blocks = caches.bytes;
  for (size_t i = 0; i < args.lengths.size(); ++i) {
    const int64_t n = args.lengths[i];
    const KvLayer cache = {.blocks = blocks, .n_blocks = TextCaches::n_blocks(n), .type = KvType::f32};
    store_kv({.k = w.k + first * d_kv,
              .v = w.v + first * d_kv,
              .stride = d_kv,
              .m = n,
              .position = 0,
              .n_kv_heads = c.n_kv_heads,
              .d_head = c.d_head},
             cache, threads);
    w.slices[i] = {.q = w.q + first * d_q, .m = n, .position = 0, .kv = cache, .out = w.mixed + first * d_q};
    blocks += cache.n_blocks * caches.block_bytes;
    first += n;
  }
  attention_into({.slices = {w.slices, args.lengths.size()},
                  .q_stride = d_q,
                  .out_stride = d_q,
                  .n_heads = c.n_heads,
                  .n_kv_heads = c.n_kv_heads,
                  .d_head = c.d_head,
                  .window = layer.window,
                  .ahead = layer.window > 0 ? layer.window - 1 : kAllAhead,
                  .scale = 1.0F / std::sqrt(static_cast<float>(c.d_head))},
                 w.attention, threads);
}

void LayeredEncoder::Pass::finish() const {
  const LinearInput out = {.values = args.hidden, .quantized = {}, .wants_values = true};
  norm_rows_into(w.x, c.d_model, model.weights_.trunk.output_norm, out, m, linear_context());
}

// Always the arithmetic of prompts, so that a text's rows do not depend on how many others there are.
LinearContext LayeredEncoder::Pass::linear_context() const {
  return {.threads = threads,
          .arithmetic = QArithmetic::prefill,
          .f32_scratch = w.matmul,
          .q_scratch = w.qmatmul,
          .sum_scratch = w.h};
}

Status bind_token_type(const WeightBinder& binder, const ModelConfig& c, EncoderWeights& w) {
  const int64_t n = c.encoder->n_token_types;
  if (n == 0) return {};
  TensorView table;
  SMELT_TRY(binder.bind("token_types.weight", -1, {n, c.d_model}, table, Presence::required, w.trunk.owned));
  w.token_type.resize(static_cast<size_t>(c.d_model));
  table.decode_row_into(0, w.token_type.data());
  return {};
}

Status bind_embedding_norm(const WeightBinder& binder, const ModelConfig& c, NormWeights& norm) {
  norm.kind = c.norm;
  norm.eps = c.norm_eps;
  SMELT_TRY(binder.bind("token_embd_norm.weight", -1, c.d_model, norm.weight, Presence::required));
  return binder.bind("token_embd_norm.bias", -1, c.d_model, norm.bias, binder.presence("token_embd_norm.bias"));
}

}  // namespace

Result<std::shared_ptr<const Encoder>> load_layered_encoder(std::shared_ptr<const Checkpoint> checkpoint,
                                                            ModelConfig config, Compute compute,
                                                            const ModelFamily& family) {
  EncoderWeights weights;
  SMELT_ASSIGN(weights.trunk, bind_decoder_weights(*checkpoint, config, family));
  weights.trunk.head = {};  // decoders'
  const WeightBinder binder(*checkpoint, family, config);
  SMELT_TRY(bind_token_type(binder, config, weights));
  SMELT_TRY(bind_embedding_norm(binder, config, weights.embedding_norm));
  SMELT_TRY(bind_label_head(binder, config, weights.trunk.owned, weights.head));
  PackedWeights packed;
  if (compute == Compute::int8) {
    SMELT_ASSIGN(packed, pack_linears(linears_of(weights.trunk), nullptr, *checkpoint));
  }
  return std::shared_ptr<const Encoder>(std::make_shared<LayeredEncoder>(std::move(config), std::move(checkpoint),
                                                                         std::move(weights), std::move(packed)));
}

}  // namespace smelt
