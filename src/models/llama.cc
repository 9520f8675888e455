// The Llama family: pre-norm decoder layers of grouped-query attention with rotary positions and a SwiGLU feed-forward
// (Touvron et al., arXiv 2302.13971, 2307.09288; Grattafiori et al., arXiv 2407.21783). Also Mistral (Jiang et al.,
// arXiv 2310.06825), which has the same form and may have a sliding window. Weights and forward here serve the other
// families of decoder.h as well; the configuration is read by decoder_config.cc.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "base/check.h"
#include "kernels/kernels.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/linear.h"
#include "models/packed_weights.h"
#include "models/weight_binder.h"

namespace smelt {

extern const ModelFamily llama_family;

namespace {

// ---------------------------------------------------------------------------------------------------------- weights

struct LayerWeights {
  std::vector<float> attn_norm, ffn_norm;
  Linear q, k, v, o, gate, up, down;
};

struct LlamaWeights {
  TensorView embedding;
  Linear head;
  std::vector<float> output_norm;
  std::vector<LayerWeights> layers;
};

constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight", RowOrder::query_heads},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias", RowOrder::query_heads},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight", RowOrder::key_heads},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias", RowOrder::key_heads},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias"},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_gate.bias", "model.layers.{}.mlp.gate_proj.bias"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_up.bias", "model.layers.{}.mlp.up_proj.bias"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
    {"blk.{}.ffn_down.bias", "model.layers.{}.mlp.down_proj.bias"},
};

struct BiasPresence {
  Presence qkv, attention_output, feed_forward;
};

Status bind_layer(const WeightBinder& binder, const ModelConfig& c, BiasPresence bias, int64_t l, LayerWeights& w) {
  const int64_t d_q = c.n_heads * c.d_head;
  const int64_t d_kv = c.n_kv_heads * c.d_head;
  const struct {
    const char* name;
    Shape shape;  // {outputs, inputs}
    TensorView& field;
  } matrices[] = {
      {"blk.{}.attn_q.weight", {d_q, c.d_model}, w.q.w},         {"blk.{}.attn_k.weight", {d_kv, c.d_model}, w.k.w},
      {"blk.{}.attn_v.weight", {d_kv, c.d_model}, w.v.w},        {"blk.{}.attn_output.weight", {c.d_model, d_q}, w.o.w},
      {"blk.{}.ffn_gate.weight", {c.d_ff, c.d_model}, w.gate.w}, {"blk.{}.ffn_up.weight", {c.d_ff, c.d_model}, w.up.w},
      {"blk.{}.ffn_down.weight", {c.d_model, c.d_ff}, w.down.w},
  };
  const struct {
    const char* name;
    int64_t n;
    std::vector<float>& field;
    Presence presence;
  } vectors[] = {
      {"blk.{}.attn_norm.weight", c.d_model, w.attn_norm, Presence::required},
      {"blk.{}.ffn_norm.weight", c.d_model, w.ffn_norm, Presence::required},
      {"blk.{}.attn_q.bias", d_q, w.q.bias, bias.qkv},
      {"blk.{}.attn_k.bias", d_kv, w.k.bias, bias.qkv},
      {"blk.{}.attn_v.bias", d_kv, w.v.bias, bias.qkv},
      {"blk.{}.attn_output.bias", c.d_model, w.o.bias, bias.attention_output},
      {"blk.{}.ffn_gate.bias", c.d_ff, w.gate.bias, bias.feed_forward},
      {"blk.{}.ffn_up.bias", c.d_ff, w.up.bias, bias.feed_forward},
      {"blk.{}.ffn_down.bias", c.d_model, w.down.bias, bias.feed_forward},
  };
  for (const auto& [name, shape, field] : matrices) SMELT_TRY(binder.bind(name, l, shape, field));
  for (const auto& [name, n, field, presence] : vectors) SMELT_TRY(binder.bind(name, l, n, field, presence));
  return {};
}

// Hugging Face says in config.json whether there are biases; GGUF shows it by the tensors.
Result<Presence> configured_presence(const Checkpoint& checkpoint, const char* key) {
  SMELT_ASSIGN(const auto flag, checkpoint.metadata().find_bool(key).with_context(config_file(checkpoint)));
  return flag.value_or(false) ? Presence::required : Presence::optional;
}

Result<BiasPresence> bias_presence(const Checkpoint& checkpoint, Biases biases) {
  if (biases == Biases::qkv) return BiasPresence{Presence::required, Presence::optional, Presence::optional};
  SMELT_ASSIGN(const Presence attention, configured_presence(checkpoint, "attention_bias"));
  SMELT_ASSIGN(const Presence mlp, configured_presence(checkpoint, "mlp_bias"));
  return BiasPresence{attention, attention, mlp};
}

Result<LlamaWeights> bind_weights(const Checkpoint& checkpoint, const ModelConfig& c, const ModelFamily& family) {
  const WeightBinder binder(checkpoint, family);
  SMELT_TRY(binder.check_layers(c.n_layers, n_layers_key(checkpoint, family)));
  SMELT_ASSIGN(const BiasPresence bias, bias_presence(checkpoint, family.biases));
  LlamaWeights w;
  SMELT_TRY(binder.bind("token_embd.weight", -1, {c.n_vocab, c.d_model}, w.embedding));
  SMELT_TRY(binder.bind("output_norm.weight", -1, c.d_model, w.output_norm));
  w.head.w = w.embedding;
  if (!c.tied_head) SMELT_TRY(binder.bind("output.weight", -1, {c.n_vocab, c.d_model}, w.head.w));
  w.layers.resize(static_cast<size_t>(c.n_layers));
  for (int64_t l = 0; l < c.n_layers; ++l) {
    SMELT_TRY(bind_layer(binder, c, bias, l, w.layers[static_cast<size_t>(l)]));
  }
  return w;
}

// ---------------------------------------------------------------------------------------------------------- forward

// The parts of the caller's workspace, laid out one after another for m tokens.
struct Workspace {
  float *x, *h, *q, *k, *v, *mixed, *gate, *up, *cos, *sin, *matmul, *qmatmul;
  std::span<float> attention;
  QuantizedRows hq, mixed_q, gate_q;
  std::byte* stock_row;
  int64_t* positions;
  AttentionSlice* slices;
  int64_t floats;
};

Workspace plan_workspace(const ModelConfig& c, float* base, int64_t m, int64_t capacity, int n_threads) {
  constexpr int64_t kLine = 16;  // parts start on cache lines of their own
  const auto misaligned = static_cast<int64_t>(reinterpret_cast<uintptr_t>(base) / sizeof(float) % kLine);
  int64_t used = base == nullptr ? kLine : (kLine - misaligned) % kLine;
  const auto take = [&](int64_t n) {
    float* at = base == nullptr ? nullptr : base + used;
    used += (n + kLine - 1) / kLine * kLine;
    return at;
  };
  const auto take_quantized = [&](int64_t k) {
    float* at = take(quantized_rows_floats(m, k));
    return at == nullptr ? QuantizedRows{} : place_quantized_rows(at, m, k);
  };
  const int64_t d_q = c.n_heads * c.d_head;
  const int64_t d_kv = c.n_kv_heads * c.d_head;
  Workspace w{};
  w.x = take(m * c.d_model);
  w.h = take(m * c.d_model);
  w.q = take(m * d_q);
  w.k = take(m * d_kv);
  w.v = take(m * d_kv);
  w.mixed = take(m * d_q);
  w.gate = take(m * c.d_ff);
  w.up = take(m * c.d_ff);
  w.hq = take_quantized(c.d_model);
  w.mixed_q = take_quantized(d_q);
  w.gate_q = take_quantized(c.d_ff);
  w.cos = take(m * c.n_rope / 2);
  w.sin = take(m * c.n_rope / 2);
  w.matmul = take(matmul_scratch_floats(m, std::max({c.d_model, d_q, c.d_ff}), n_threads));
  w.qmatmul = take(qmatmul_scratch_floats(m, n_threads));
  const int64_t attention_floats = attention_scratch_floats({.n_heads = c.n_heads,
                                                             .n_kv_heads = c.n_kv_heads,
                                                             .d_head = c.d_head,
                                                             .n_tokens = m,
                                                             .capacity = capacity,
                                                             .window = c.window,
                                                             .n_threads = n_threads});
  w.attention = {take(attention_floats), static_cast<size_t>(attention_floats)};
  // A row of the embedding in stock blocks, for each token: at most 4 bytes a value.
  w.stock_row = reinterpret_cast<std::byte*>(take(m * c.d_model));
  w.positions = reinterpret_cast<int64_t*>(take(2 * m));
  // One for each sequence, at most as many as tokens.
  w.slices = reinterpret_cast<AttentionSlice*>(take(m * static_cast<int64_t>(sizeof(AttentionSlice) / sizeof(float))));
  w.floats = used;
  return w;
}

class Llama final : public Model {
 public:
  Llama(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint, LlamaWeights weights, PackedWeights packed)
      : Model(std::move(config), std::move(checkpoint)), packed_(std::move(packed)), weights_(std::move(weights)) {}

  void forward(const ForwardArgs& args, ThreadPool& threads) const override;
  int64_t workspace_floats(int64_t m_max, int64_t capacity, int n_threads) const override {
    return plan_workspace(config_, nullptr, m_max, capacity, n_threads).floats;
  }

 private:
  // One forward pass: what every step needs.
  struct Pass {
    const Llama& model;
    const ForwardArgs& args;
    ThreadPool& threads;
    int64_t m;
    Workspace w;

    void embed() const;
    void rotate(float* x, int64_t n_heads) const;
    void attend(size_t layer) const;
    void layer(size_t layer) const;
    void head() const;
    LinearContext linear_context(int64_t rows) const;
  };

  PackedWeights packed_;  // what views of weights_ show
  LlamaWeights weights_;
};

// The longest sequence, this pass included.
int64_t longest(std::span<const SequenceSlice> slices) {
  int64_t n = 0;
  for (const SequenceSlice& slice : slices) n = std::max(n, slice.position + slice.n_tokens);
  return n;
}

void Llama::forward(const ForwardArgs& args, ThreadPool& threads) const {
  SMELT_CHECK(args.kind == PassKind::decode || args.slices.size() == 1);
  const auto m = static_cast<int64_t>(args.tokens.size());
  const Workspace w = plan_workspace(config_, args.workspace, m, longest(args.slices), threads.size());
  const Pass pass{*this, args, threads, m, w};
  pass.embed();  // x [m][d_model]; cos, sin [m][n_rope/2]
  for (size_t l = 0; l < weights_.layers.size(); ++l) pass.layer(l);
  pass.head();  // logits [sum of n_logits][n_vocab]
}

void Llama::Pass::layer(size_t layer) const {
  const ModelConfig& c = model.config_;
  const LayerWeights& l = model.weights_.layers[layer];
  const LinearContext context = linear_context(m);
  const LinearInput attention_in = make_input({&l.q, &l.k, &l.v}, w.h, w.hq);
  norm_into(w.x, {l.attn_norm, c.rms_norm_eps}, attention_in, m, context);      // h [m][d_model]
  linear_into(attention_in, m, {{l.q, w.q}, {l.k, w.k}, {l.v, w.v}}, context);  // q, k, v [m][heads][d_head]
  rotate(w.q, c.n_heads);
  rotate(w.k, c.n_kv_heads);
  attend(layer);  // mixed [m][n_heads][d_head]
  const LinearInput mixed = make_input({&l.o}, w.mixed, w.mixed_q);
  quantize_values(mixed, m, context);
  linear_into(mixed, m, {{l.o, w.x, true}}, context);  // x += o

  const LinearInput ffn_in = make_input({&l.gate, &l.up}, w.h, w.hq);
  const LinearInput inner = make_input({&l.down}, w.gate, w.gate_q);
  norm_into(w.x, {l.ffn_norm, c.rms_norm_eps}, ffn_in, m, context);      // h [m][d_model]
  swiglu_into(ffn_in, m, {l.gate, l.up, w.gate, w.up}, inner, context);  // inner [m][d_ff]
  linear_into(inner, m, {{l.down, w.x, true}}, context);                 // x += down
}

void Llama::Pass::head() const {
  const ModelConfig& c = model.config_;
  const Linear& head = model.weights_.head;
  int64_t n_rows = 0;
  for (const SequenceSlice& slice : args.slices) n_rows += slice.n_logits;
  const LinearContext context = linear_context(n_rows);
  int64_t end = 0;  // of the slice's tokens
  int64_t n = 0;    // rows so far
  for (const SequenceSlice& slice : args.slices) {
    end += slice.n_tokens;
    const LinearInput h = rows_from(make_input({&head}, w.h, w.hq), n, c.d_model);
    const float* last = w.x + (end - slice.n_logits) * c.d_model;
    norm_into(last, {model.weights_.output_norm, c.rms_norm_eps}, h, slice.n_logits, context);  // h [n_logits][d_model]
    n += slice.n_logits;
  }
  linear_into(make_input({&head}, w.h, w.hq), n, {{head, args.logits}}, context);
}

LinearContext Llama::Pass::linear_context(int64_t rows) const {
  const bool is_long = args.kind == PassKind::prefill && rows > kFewAttentionTokens;
  return {.threads = threads,
          .arithmetic = is_long ? QArithmetic::prefill : QArithmetic::exact,
          .f32_scratch = w.matmul,
          .q_scratch = w.qmatmul,
          .sum_scratch = w.h};
}

void Llama::Pass::embed() const {
  const ModelConfig& c = model.config_;
  const TensorView& table = model.weights_.embedding;
  int64_t* position = w.positions;
  for (const SequenceSlice& slice : args.slices) {
    for (int64_t i = 0; i < slice.n_tokens; ++i) *position++ = slice.position + i;
  }
  for_rows(threads, m, c.d_model, [&](int64_t i) {
    const TokenId id = args.tokens[static_cast<size_t>(i)];
    SMELT_CHECK(id >= 0 && id < c.n_vocab);
    decode_matrix_row_into(table, id, w.stock_row + 4 * i * c.d_model, w.x + i * c.d_model);
    const int64_t half = c.n_rope / 2;
    rope_angles_into(c.inv_freq.data(), c.n_rope, w.positions[i], w.cos + i * half, w.sin + i * half);
  });
}

void Llama::Pass::rotate(float* x, int64_t n_heads) const {
  const ModelConfig& c = model.config_;
  const int64_t row = n_heads * c.d_head;
  const int64_t half = c.n_rope / 2;
  for_rows(threads, m, row, [&](int64_t i) {
    rope_in_place(x + i * row, n_heads, c.d_head,
                  {.n_rope = c.n_rope, .layout = c.rope_layout, .cos = w.cos + i * half, .sin = w.sin + i * half});
  });
}

void Llama::Pass::attend(size_t layer) const {
  const ModelConfig& c = model.config_;
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
  attention_into({.slices = {w.slices, args.slices.size()},
                  .q_stride = d_q,
                  .out_stride = d_q,
                  .n_heads = c.n_heads,
                  .n_kv_heads = c.n_kv_heads,
                  .d_head = c.d_head,
                  .window = c.window,
                  .scale = 1.0F / std::sqrt(static_cast<float>(c.d_head))},
                 w.attention, threads);
}

std::vector<Linear*> layers_of(LlamaWeights& w) {
  std::vector<Linear*> layers = {&w.head};
  for (LayerWeights& l : w.layers) layers.insert(layers.end(), {&l.q, &l.k, &l.v, &l.o, &l.gate, &l.up, &l.down});
  return layers;
}

Result<PackedWeights> use_int8(LlamaWeights& w, const ModelConfig& config, const Checkpoint& checkpoint) {
  const std::vector<Linear*> layers = layers_of(w);
  std::vector<TensorView*> matrices;
  for (Linear* layer : layers) matrices.push_back(&layer->w);
  if (config.tied_head) matrices.push_back(&w.embedding);
  SMELT_ASSIGN(PackedWeights packed, PackedWeights::pack(matrices, checkpoint));
  for (Linear* layer : layers) {
    layer->is_int8 = layer->w.layout == Layout::rows16;
    layer->is_bf16 = layer->w.dtype == DType::bf16;
  }
  return packed;
}

// ---------------------------------------------------------------------------------------------------- Llama's own

constexpr const char* kMistral = "MistralForCausalLM";
constexpr const char* kHfArchitectures[] = {"LlamaForCausalLM", kMistral};

// LlamaForCausalLM has no windows, whatever its config.json says.
Status read_window(const Metadata& metadata, ModelConfig& c) {
  if (c.architecture != kMistral) return {};
  SMELT_ASSIGN(const auto window, find_count(metadata, "sliding_window", {0, kMaxContext}));
  c.window = window.value_or(0);
  return {};
}

Result<ModelConfig> parse_config(const Checkpoint& checkpoint) {
  return parse_decoder_config(
      checkpoint,
      {.name = "llama", .gguf_rope = RopeLayout::interleaved, .gguf_window = true, .read_hf_variant = read_window});
}

Result<std::shared_ptr<const Model>> load(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                          Compute compute) {
  return load_decoder(std::move(checkpoint), std::move(config), compute, llama_family);
}

}  // namespace

Result<std::shared_ptr<const Model>> load_decoder(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                                  Compute compute, const ModelFamily& family) {
  SMELT_ASSIGN(LlamaWeights weights, bind_weights(*checkpoint, config, family));
  PackedWeights packed;
  if (compute == Compute::int8) {
    SMELT_ASSIGN(packed, use_int8(weights, config, *checkpoint));
  }
  return std::shared_ptr<const Model>(
      std::make_shared<Llama>(std::move(config), std::move(checkpoint), std::move(weights), std::move(packed)));
}

extern const ModelFamily llama_family = {.name = "llama",
                                         .gguf_architecture = "llama",
                                         .hf_architectures = kHfArchitectures,
                                         .hf_model_type = "llama",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_config,
                                         .load = load};

}  // namespace smelt
