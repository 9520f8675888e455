// The passes of T5: the encoder reads the source once, all of it seeing all of it, and leaves the keys and values that
// the decoder's layers read of it; the decoder writes token by token. Norms before each half of a layer, biases of
// relative positions in place of rotations. A sequence's memory, all in f32: for each layer of the decoder keys and
// values of the text, and keys and values of the source, [n_heads][capacity][d_head] each.
#include "models/layers/t5.h"

#include <algorithm>

#include "base/check.h"
#include "kernels/kernels.h"
#include "models/layers/activation.h"
#include "models/layers/biased_attention.h"
#include "models/layers/pass.h"
#include "models/layers/t5_weights.h"
#include "models/layers/taker.h"

namespace smelt {
namespace {

struct Workspace {
  float *x, *h, *q, *k, *v, *mixed, *gate, *up, *scores, *matmul, *qmatmul;
  float *k_heads, *v_heads;  // the encoder's, [n_heads][capacity][d_head]
  QuantizedRows hq, mixed_q, gate_q;
  std::byte* stock_rows;
  int64_t floats;
};

// m: tokens of a pass, of the encoder's as well.
Workspace plan_workspace(const ModelConfig& c, float* base, int64_t m, int64_t capacity, int n_threads) {
  const int64_t d_heads = c.n_heads * c.d_head;
  Taker take(base);
  Workspace w{};
  w.x = take.floats(m * c.d_model);
  w.h = take.floats(m * c.d_model);
  w.q = take.floats(m * d_heads);
  w.k = take.floats(m * d_heads);
  w.v = take.floats(m * d_heads);
  w.mixed = take.floats(m * d_heads);
  w.gate = take.floats(m * c.d_ff);
  w.up = take.floats(m * c.d_ff);
  w.k_heads = take.floats(capacity * d_heads);
  w.v_heads = take.floats(capacity * d_heads);
  w.scores = take.floats(capacity * n_threads);
  w.hq = take.quantized(m, c.d_model);
  w.mixed_q = take.quantized(m, d_heads);
  w.gate_q = take.quantized(m, c.d_ff);
  w.matmul = take.floats(matmul_scratch_floats(m, std::max({c.d_model, c.d_ff, d_heads}), n_threads));
  w.qmatmul = take.floats(qmatmul_scratch_floats(m, n_threads));
  w.stock_rows = reinterpret_cast<std::byte*>(take.floats(m * c.d_model));
  w.floats = take.used();
  return w;
}

struct KeysValues {
  float *k, *v;  // [n_heads][capacity][d_head]
  int64_t capacity;
};

class T5 final : public Model {
 public:
  T5(ModelConfig config, std::shared_ptr<const Checkpoint> checkpoint, T5Weights weights, PackedWeights packed)
      : Model(std::move(config), std::move(checkpoint)), packed_(std::move(packed)), weights_(std::move(weights)) {}

  void forward(const ForwardArgs& args, ThreadPool& threads) const override;
  void encode(const EncodeArgs& args, ThreadPool& threads) const override;
  int64_t workspace_floats(int64_t m_max, int64_t capacity, int n_threads) const override {
    return plan_workspace(config_, nullptr, std::max(m_max, capacity), capacity, n_threads).floats;
  }
  SequenceMemory sequence_memory(int64_t capacity) const override {
    return {.floats = config_.n_layers * 4 * part_floats(capacity)};
  }

 private:
  int64_t part_floats(int64_t capacity) const { return capacity * config_.n_heads * config_.d_head; }
  KeysValues text_of(float* state, int64_t layer, int64_t capacity) const {
    float* k = state + layer * 4 * part_floats(capacity);
    return {k, k + part_floats(capacity), capacity};
  }
  KeysValues source_of(float* state, int64_t layer, int64_t capacity) const {
    float* k = state + (layer * 4 + 2) * part_floats(capacity);
    return {k, k + part_floats(capacity), capacity};
  }

  struct Pass {
    const ModelConfig& c;
    ThreadPool& threads;
    int64_t m;
    Workspace w;
    LinearContext context;

    LinearInput norm(const NormWeights& norm, std::initializer_list<const Linear*> readers) const;
    void store(const float* rows, int64_t n, int64_t position, float* heads, int64_t capacity) const;
    void add_output(const T5Attention& a) const;
    void feed_forward(const T5Block& block) const;
    void encode(const T5Stack& stack, int64_t capacity) const;
  };
  void self_attention(const Pass& pass, int64_t layer, const ForwardArgs& args) const;
  void cross_attention(const Pass& pass, int64_t layer, const ForwardArgs& args) const;

  PackedWeights packed_;  // what views of weights_ show
  T5Weights weights_;
};

// The rows of x, normed, in the forms that the readers want.
LinearInput T5::Pass::norm(const NormWeights& norm, std::initializer_list<const Linear*> readers) const {
  const LinearInput h = make_input(readers, w.h, w.hq);
  norm_rows_into(w.x, c.d_model, norm, h, m, context);
  return h;
}

// rows [n][n_heads][d_head] to their positions in [n_heads][capacity][d_head].
void T5::Pass::store(const float* rows, int64_t n, int64_t position, float* heads, int64_t capacity) const {
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t h = 0; h < c.n_heads; ++h) {
      std::copy_n(rows + (i * c.n_heads + h) * c.d_head, c.d_head, heads + (h * capacity + position + i) * c.d_head);
    }
  }
}

void T5::Pass::add_output(const T5Attention& a) const {
  const LinearInput mixed = make_input({&a.o}, w.mixed, w.mixed_q);
  quantize_values(mixed, m, context);
  linear_into(mixed, m, {{a.o, w.x, true}}, context);
}

void T5::Pass::feed_forward(const T5Block& b) const {
  const LinearInput h = c.gated ? norm(b.ffn_norm, {&b.gate, &b.up}) : norm(b.ffn_norm, {&b.up});
  const LinearInput inner = make_input({&b.down}, w.gate, w.gate_q);
  feed_forward_into(h, m, {c.gated ? &b.gate : nullptr, &b.up, w.gate, w.up}, c.activation, inner, context);
  linear_into(inner, m, {{b.down, w.x, true}}, context);
}

void T5::Pass::encode(const T5Stack& stack, int64_t capacity) const {
  for (const T5Block& b : stack.blocks) {
    const LinearInput h = norm(b.self.norm, {&b.self.q, &b.self.k, &b.self.v});
    linear_into(h, m, {{b.self.q, w.q}, {b.self.k, w.k}, {b.self.v, w.v}}, context);
    store(w.k, m, 0, w.k_heads, capacity);
    store(w.v, m, 0, w.v_heads, capacity);
    biased_attention_into({.q = w.q,
                           .k = w.k_heads,
                           .v = w.v_heads,
                           .m = m,
                           .n_heads = c.n_heads,
                           .d_head = c.d_head,
                           .capacity = capacity,
                           .n_keys = m,
                           .biases = stack.biases.data(),
                           .out = w.mixed},
                          w.scores, threads);
    add_output(b.self);
    feed_forward(b);
  }
}

void T5::encode(const EncodeArgs& args, ThreadPool& threads) const {
  const auto m = static_cast<int64_t>(args.tokens.size());
  SMELT_CHECK(m >= 1 && m <= args.capacity);
  const Workspace w = plan_workspace(config_, args.workspace, args.capacity, args.capacity, threads.size());
  ForwardArgs kind;
  kind.kind = PassKind::prefill;
  const Pass pass{config_, threads, m, w, pass_context(kind, m, {w.matmul, w.qmatmul, w.h}, threads)};
  embed_tokens_into(weights_.embedding, args.tokens, w.stock_rows, w.x, threads);
  pass.encode(weights_.encoder, args.capacity);  // x [m][d_model]
  for (int64_t l = 0; l < config_.n_layers; ++l) {
    const T5Attention& cross = weights_.decoder.blocks[static_cast<size_t>(l)].cross;
    const KeysValues kv = source_of(args.state, l, args.capacity);
    const LinearInput h = pass.norm(weights_.encoder.norm, {&cross.k, &cross.v});
    linear_into(h, m, {{cross.k, w.k}, {cross.v, w.v}}, pass.context);
    pass.store(w.k, m, 0, kv.k, kv.capacity);
    pass.store(w.v, m, 0, kv.v, kv.capacity);
  }
}

void T5::self_attention(const Pass& pass, int64_t layer, const ForwardArgs& args) const {
  const T5Attention& a = weights_.decoder.blocks[static_cast<size_t>(layer)].self;
  const Workspace& w = pass.w;
  const LinearInput h = pass.norm(a.norm, {&a.q, &a.k, &a.v});
  linear_into(h, pass.m, {{a.q, w.q}, {a.k, w.k}, {a.v, w.v}}, pass.context);
  const int64_t d_heads = config_.n_heads * config_.d_head;
  int64_t first = 0;
  for (const SequenceSlice& slice : args.slices) {
    const KeysValues kv = text_of(slice.state, layer, slice.capacity);
    pass.store(w.k + first * d_heads, slice.n_tokens, slice.position, kv.k, kv.capacity);
    pass.store(w.v + first * d_heads, slice.n_tokens, slice.position, kv.v, kv.capacity);
    biased_attention_into({.q = w.q + first * d_heads,
                           .k = kv.k,
                           .v = kv.v,
                           .m = slice.n_tokens,
                           .n_heads = config_.n_heads,
                           .d_head = config_.d_head,
                           .capacity = kv.capacity,
                           .position = slice.position,
                           .is_causal = true,
                           .biases = weights_.decoder.biases.data(),
                           .out = w.mixed + first * d_heads},
                          w.scores, pass.threads);
    first += slice.n_tokens;
  }
  pass.add_output(a);
}

void T5::cross_attention(const Pass& pass, int64_t layer, const ForwardArgs& args) const {
  const T5Attention& a = weights_.decoder.blocks[static_cast<size_t>(layer)].cross;
  const Workspace& w = pass.w;
  linear_into(pass.norm(a.norm, {&a.q}), pass.m, {{a.q, w.q}}, pass.context);
  const int64_t d_heads = config_.n_heads * config_.d_head;
  int64_t first = 0;
  for (const SequenceSlice& slice : args.slices) {
    const KeysValues kv = source_of(slice.state, layer, slice.capacity);
    biased_attention_into({.q = w.q + first * d_heads,
                           .k = kv.k,
                           .v = kv.v,
                           .m = slice.n_tokens,
                           .n_heads = config_.n_heads,
                           .d_head = config_.d_head,
                           .capacity = kv.capacity,
                           .n_keys = slice.n_source,
                           .out = w.mixed + first * d_heads},
                          w.scores, pass.threads);
    first += slice.n_tokens;
  }
  pass.add_output(a);
}

void T5::forward(const ForwardArgs& args, ThreadPool& threads) const {
  SMELT_CHECK(args.kind == PassKind::decode || args.slices.size() == 1);
  const auto m = static_cast<int64_t>(args.tokens.size());
  const int64_t capacity = args.slices.front().capacity;  // of all sequences of a batch
  const Workspace w = plan_workspace(config_, args.workspace, m, capacity, threads.size());
  const PassScratch scratch = {w.matmul, w.qmatmul, w.h};
  const Pass pass{config_, threads, m, w, pass_context(args, m, scratch, threads)};
  embed_tokens_into(weights_.embedding, args.tokens, w.stock_rows, w.x, threads);  // x [m][d_model]
  for (int64_t l = 0; l < config_.n_layers; ++l) {
    self_attention(pass, l, args);
    cross_attention(pass, l, args);
    pass.feed_forward(weights_.decoder.blocks[static_cast<size_t>(l)]);
  }
  const int64_t n =
      logits_into({weights_.decoder.norm, weights_.head, config_.d_model}, w.x, make_input({&weights_.head}, w.h, w.hq),
                  args, pass_context(args, count_logits(args), scratch, threads));
  if (config_.logit_scale == 1.0F) return;
  for (int64_t i = 0; i < n * config_.n_vocab; ++i) args.logits[i] *= config_.logit_scale;
}

}  // namespace

Result<std::shared_ptr<const Model>> load_t5(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                             Compute compute, const ModelFamily& family) {
  SMELT_ASSIGN(T5Weights weights, bind_t5_weights(*checkpoint, config, family));
  PackedWeights packed;
  if (compute == Compute::int8) {
    // The embedding is packed once, whoever reads it.
    TensorView* embedding = config.tied_head ? &weights.embedding : nullptr;
    SMELT_ASSIGN(packed, pack_linears(linears_of(weights), embedding, *checkpoint));
  }
  return std::shared_ptr<const Model>(
      std::make_shared<T5>(std::move(config), std::move(checkpoint), std::move(weights), std::move(packed)));
}

}  // namespace smelt
