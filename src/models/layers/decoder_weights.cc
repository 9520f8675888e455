#include "models/layers/decoder_weights.h"

#include <algorithm>
#include <string>

namespace smelt {
namespace {

struct BiasPresence {
  Presence qkv, output, mlp;
};

// Hugging Face says in config.json whether there are biases; GGUF shows it by the tensors.
Result<Presence> configured_presence(const Checkpoint& checkpoint, const char* key) {
  if (key == nullptr || checkpoint.dialect() == Dialect::gguf) return Presence::optional;
  SMELT_ASSIGN(const auto flag, checkpoint.metadata().find_bool(key).with_context(config_file(checkpoint)));
  return flag.value_or(false) ? Presence::required : Presence::optional;
}

class LayerBinder {
 public:
  LayerBinder(const WeightBinder& binder, const ModelConfig& config, BiasPresence biases, OwnedTensors& owned)
      : binder_(binder), c_(config), biases_(biases), owned_(owned) {}

  Status bind(int64_t layer, LayerWeights& w) {
    layer_ = layer;
    SMELT_TRY(bind_norms(w));
    SMELT_TRY(bind_attention(w));
    return c_.n_experts > 0 ? bind_experts(w) : bind_feed_forward(w.ffn);
  }

  // "NAME.weight" and, where the family has one, "NAME.bias".
  Status bind_norm(const std::string& name, int64_t layer, int64_t n, NormWeights& norm) const {
    norm.kind = c_.norm;
    norm.eps = c_.norm_eps;
    SMELT_TRY(bind_vector(name + ".weight", layer, n, Presence::optional, norm.weight));
    return bind_vector(name + ".bias", layer, n, Presence::optional, norm.bias);
  }

 private:
  // `least`: required where the configuration says so although the table does not.
  Status bind_vector(const std::string& name, int64_t layer, int64_t n, Presence least, std::vector<float>& out) const {
    const bool required = least == Presence::required || binder_.presence(name.c_str()) == Presence::required;
    if (!binder_.knows(name.c_str())) return {};
    return binder_.bind(name.c_str(), layer, n, out, required ? Presence::required : Presence::optional);
  }

  Status bind_linear(const std::string& name, int64_t outputs, int64_t inputs, Presence bias, Linear& out) const {
    SMELT_TRY(binder_.bind((name + ".weight").c_str(), layer_, {outputs, inputs}, out.w, Presence::required, owned_));
    return bind_vector(name + ".bias", layer_, outputs, bias, out.bias);
  }

  Status bind_norms(LayerWeights& w) const {
    const struct {
      const char* name;
      int64_t n;
      NormWeights& norm;
    } norms[] = {{"blk.{}.attn_norm", c_.d_model, w.attn_norm},
                 {"blk.{}.attn_sub_norm", d_q(), w.attn_sub_norm},
                 {"blk.{}.post_attention_norm", c_.d_model, w.attn_post_norm},
                 {"blk.{}.ffn_norm", c_.d_model, w.ffn_norm},
                 {"blk.{}.ffn_sub_norm", c_.d_ff, w.ffn_sub_norm},
                 {"blk.{}.post_ffw_norm", c_.d_model, w.ffn_post_norm},
                 {"blk.{}.attn_output_norm", c_.d_model, w.attn_sum_norm},
                 {"blk.{}.layer_output_norm", c_.d_model, w.ffn_sum_norm}};
    for (const auto& [name, n, norm] : norms) SMELT_TRY(bind_norm(name, layer_, n, norm));
    if (c_.plain_norms) {
      w.attn_norm.weight.assign(static_cast<size_t>(c_.d_model), 1.0F);
      w.ffn_norm = w.attn_norm;
    }
    // One norm for both halves of a parallel layer.
    if (c_.parallel_residual && !w.ffn_norm.exists()) w.ffn_norm = w.attn_norm;
    const bool whole_rows = c_.qk_norm == QkNorm::rows;
    SMELT_TRY(bind_norm("blk.{}.attn_q_norm", layer_, whole_rows ? d_q() : c_.d_head, w.q_norm));
    return bind_norm("blk.{}.attn_k_norm", layer_, whole_rows ? d_kv() : c_.d_head, w.k_norm);
  }

  Status bind_attention(LayerWeights& w) const {
    SMELT_TRY(bind_queries_keys_values(w));
    return bind_linear("blk.{}.attn_output", c_.d_model, d_q(), biases_.output, w.o);
  }

  Status bind_queries_keys_values(LayerWeights& w) const {
    const bool is_fused = binder_.has("blk.{}.attn_qkv.weight", layer_) || !binder_.knows("blk.{}.attn_q.weight");
    if (is_fused) {
      Linear fused;
      SMELT_TRY(bind_linear("blk.{}.attn_qkv", d_q() + 2 * d_kv(), c_.d_model, biases_.qkv, fused));
      SMELT_TRY(take_rows(fused, 0, d_q(), w.q));
      SMELT_TRY(take_rows(fused, d_q(), d_kv(), w.k));
      return take_rows(fused, d_q() + d_kv(), d_kv(), w.v);
    }
    SMELT_TRY(bind_linear("blk.{}.attn_q", d_q(), c_.d_model, biases_.qkv, w.q));
    SMELT_TRY(bind_linear("blk.{}.attn_k", d_kv(), c_.d_model, biases_.qkv, w.k));
    return bind_linear("blk.{}.attn_v", d_kv(), c_.d_model, biases_.qkv, w.v);
  }

  Status bind_feed_forward(FeedForward& w) const {
    SMELT_TRY(bind_gate_and_up(w));
    return bind_linear("blk.{}.ffn_down", c_.d_model, c_.d_ff, biases_.mlp, w.down);
  }

  Status bind_gate_and_up(FeedForward& w) const {
    const bool is_fused = c_.gated && !binder_.knows("blk.{}.ffn_gate.weight");
    if (is_fused) {
      Linear fused;
      SMELT_TRY(bind_linear("blk.{}.ffn_up", 2 * c_.d_ff, c_.d_model, biases_.mlp, fused));
      SMELT_TRY(take_rows(fused, 0, c_.d_ff, w.gate));
      return take_rows(fused, c_.d_ff, c_.d_ff, w.up);
    }
    if (c_.gated) SMELT_TRY(bind_linear("blk.{}.ffn_gate", c_.d_ff, c_.d_model, biases_.mlp, w.gate));
    return bind_linear("blk.{}.ffn_up", c_.d_ff, c_.d_model, biases_.mlp, w.up);
  }

  Status bind_experts(LayerWeights& w) const {
    SMELT_TRY(bind_linear("blk.{}.ffn_gate_inp", c_.n_experts, c_.d_model, Presence::optional, w.router));
    std::vector<TensorView> gates;
    std::vector<TensorView> ups;
    std::vector<TensorView> downs;
    const Shape in = {c_.d_ff_expert, c_.d_model};
    SMELT_TRY(binder_.bind_experts("blk.{}.ffn_gate_exps.weight", layer_, in, gates));
    SMELT_TRY(binder_.bind_experts("blk.{}.ffn_up_exps.weight", layer_, in, ups));
    SMELT_TRY(binder_.bind_experts("blk.{}.ffn_down_exps.weight", layer_, {c_.d_model, c_.d_ff_expert}, downs));
    w.experts.resize(gates.size());
    for (size_t e = 0; e < gates.size(); ++e) {
      w.experts[e].gate.w = gates[e];
      w.experts[e].up.w = ups[e];
      w.experts[e].down.w = downs[e];
    }
    return c_.d_ff_shared > 0 ? bind_shared_expert(w) : Status();
  }

  Status bind_shared_expert(LayerWeights& w) const {
    const int64_t d_ff = c_.d_ff_shared;
    SMELT_TRY(bind_linear("blk.{}.ffn_gate_shexp", d_ff, c_.d_model, Presence::optional, w.shared.gate));
    SMELT_TRY(bind_linear("blk.{}.ffn_up_shexp", d_ff, c_.d_model, Presence::optional, w.shared.up));
    SMELT_TRY(bind_linear("blk.{}.ffn_down_shexp", c_.d_model, d_ff, Presence::optional, w.shared.down));
    return binder_.bind("blk.{}.ffn_gate_inp_shexp.weight", layer_, c_.d_model, w.shared_gate, Presence::required);
  }

  static Status take_rows(const Linear& fused, int64_t begin, int64_t n, Linear& part) {
    SMELT_ASSIGN(part.w, rows_of(fused.w, begin, n));
    if (fused.bias.empty()) return {};
    part.bias.assign(fused.bias.begin() + begin, fused.bias.begin() + begin + n);
    return {};
  }

  int64_t d_q() const { return c_.n_heads * c_.d_head; }
  int64_t d_kv() const { return c_.n_kv_heads * c_.d_head; }

  const WeightBinder& binder_;
  const ModelConfig& c_;
  BiasPresence biases_;
  OwnedTensors& owned_;
  int64_t layer_ = -1;
};

Result<BiasPresence> bias_presence(const Checkpoint& checkpoint, const HfKeys& keys) {
  SMELT_ASSIGN(const Presence qkv, configured_presence(checkpoint, keys.qkv_bias));
  SMELT_ASSIGN(const Presence output, configured_presence(checkpoint, keys.output_bias));
  SMELT_ASSIGN(const Presence mlp, configured_presence(checkpoint, keys.mlp_bias));
  return BiasPresence{qkv, output, mlp};
}

Status bind_embedding(const WeightBinder& binder, const ModelConfig& c, DecoderWeights& w) {
  SMELT_TRY(binder.bind("token_embd.weight", -1, {c.n_vocab, c.d_model}, w.embedding, Presence::required, w.owned));
  if (!c.learned_positions) return {};
  TensorView table;
  SMELT_TRY(binder.bind("position_embd.weight", -1, {c.n_ctx_train, c.d_model}, table, Presence::required, w.owned));
  w.positions.resize(static_cast<size_t>(c.n_ctx_train * c.d_model));
  for (int64_t p = 0; p < c.n_ctx_train; ++p) table.decode_row_into(p, w.positions.data() + p * c.d_model);
  return {};
}

Status bind_head(const WeightBinder& binder, const ModelConfig& c, DecoderWeights& w) {
  w.head.w = w.embedding;
  if (!c.tied_head) {
    SMELT_TRY(binder.bind("output.weight", -1, {c.n_vocab, c.d_model}, w.head.w, Presence::required, w.owned));
  }
  return binder.bind("output.bias", -1, c.n_vocab, w.head.bias, binder.presence("output.bias"));
}

}  // namespace

Result<DecoderWeights> bind_decoder_weights(const Checkpoint& checkpoint, const ModelConfig& c,
                                            const ModelFamily& family) {
  const WeightBinder binder(checkpoint, family, c);
  SMELT_TRY(binder.check_layers(c.n_layers, n_layers_key(checkpoint, family)));
  SMELT_ASSIGN(const BiasPresence biases, bias_presence(checkpoint, family.form.hf));
  DecoderWeights w;
  SMELT_TRY(bind_embedding(binder, c, w));
  LayerBinder layers(binder, c, biases, w.owned);
  SMELT_TRY(layers.bind_norm("output_norm", -1, c.d_model, w.output_norm));
  if (c.plain_norms) w.output_norm.weight.assign(static_cast<size_t>(c.d_model), 1.0F);
  SMELT_TRY(bind_head(binder, c, w));
  w.layers.resize(static_cast<size_t>(c.n_layers));
  for (int64_t l = 0; l < c.n_layers; ++l) SMELT_TRY(layers.bind(l, w.layers[static_cast<size_t>(l)]));
  return w;
}

std::vector<Linear*> linears_of(DecoderWeights& w) {
  std::vector<Linear*> all;
  const auto add = [&all](std::initializer_list<Linear*> some) {
    for (Linear* linear : some) {
      if (linear->w.shape.rank > 0) all.push_back(linear);
    }
  };
  add({&w.head});
  for (LayerWeights& l : w.layers) {
    add({&l.q, &l.k, &l.v, &l.o, &l.ffn.gate, &l.ffn.up, &l.ffn.down, &l.router});
    add({&l.shared.gate, &l.shared.up, &l.shared.down});
    for (FeedForward& expert : l.experts) add({&expert.gate, &expert.up, &expert.down});
  }
  return all;
}

}  // namespace smelt
