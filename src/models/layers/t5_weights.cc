#include "models/layers/t5_weights.h"

#include <algorithm>
#include <string>

#include "models/decoder.h"
#include "models/layers/biased_attention.h"

namespace smelt {
namespace {

class StackBinder {
 public:
  StackBinder(const WeightBinder& binder, const ModelConfig& config, std::string side, OwnedTensors& owned)
      : binder_(binder), c_(config), side_(std::move(side)), owned_(owned) {}

  Status bind(int64_t n_layers, T5Stack& stack) {
    const bool is_encoder = side_ == "enc";
    const std::string biases_name = side_ + ".blk.{}.attn_rel_b.weight";
    std::vector<float> table;
    SMELT_TRY(binder_.bind_table(biases_name.c_str(), 0, {c_.encoder.n_buckets, c_.n_heads}, table));
    stack.biases = make_distance_biases(table, c_.encoder.n_buckets, c_.n_heads, is_encoder);
    SMELT_TRY(bind_norm(side_ + ".output_norm.weight", -1, stack.norm));
    stack.blocks.resize(static_cast<size_t>(n_layers));
    for (int64_t l = 0; l < n_layers; ++l) {
      T5Block& block = stack.blocks[static_cast<size_t>(l)];
      SMELT_TRY(bind_attention(l, "attn", block.self));
      if (!is_encoder) SMELT_TRY(bind_attention(l, "cross_attn", block.cross));
      SMELT_TRY(bind_feed_forward(l, block));
    }
    return {};
  }

 private:
  std::string in_block(const std::string& name) const { return side_ + ".blk.{}." + name + ".weight"; }

  Status bind_norm(const std::string& name, int64_t layer, NormWeights& norm) const {
    norm.eps = c_.norm_eps;
    return binder_.bind(name.c_str(), layer, c_.d_model, norm.weight, Presence::required);
  }
  Status bind_linear(const std::string& name, int64_t layer, const Shape& shape, Linear& linear) const {
    return binder_.bind(in_block(name).c_str(), layer, shape, linear.w, Presence::required, owned_);
  }

  Status bind_attention(int64_t layer, const std::string& name, T5Attention& w) const {
    const int64_t d_heads = c_.n_heads * c_.d_head;
    SMELT_TRY(bind_norm(in_block(name + "_norm"), layer, w.norm));
    SMELT_TRY(bind_linear(name + "_q", layer, {d_heads, c_.d_model}, w.q));
    SMELT_TRY(bind_linear(name + "_k", layer, {d_heads, c_.d_model}, w.k));
    SMELT_TRY(bind_linear(name + "_v", layer, {d_heads, c_.d_model}, w.v));
    return bind_linear(name + "_o", layer, {c_.d_model, d_heads}, w.o);
  }

  Status bind_feed_forward(int64_t layer, T5Block& w) const {
    SMELT_TRY(bind_norm(in_block("ffn_norm"), layer, w.ffn_norm));
    if (c_.gated) SMELT_TRY(bind_linear("ffn_gate", layer, {c_.d_ff, c_.d_model}, w.gate));
    SMELT_TRY(bind_linear("ffn_up", layer, {c_.d_ff, c_.d_model}, w.up));
    return bind_linear("ffn_down", layer, {c_.d_model, c_.d_ff}, w.down);
  }

  const WeightBinder& binder_;
  const ModelConfig& c_;
  std::string side_;
  OwnedTensors& owned_;
};

}  // namespace

Result<T5Weights> bind_t5_weights(const Checkpoint& checkpoint, const ModelConfig& c, const ModelFamily& family) {
  const WeightBinder binder(checkpoint, family, c);
  const bool decoder_is_longer = c.n_layers > c.encoder.n_layers;
  const std::string key = decoder_is_longer ? "num_decoder_layers" : n_layers_key(checkpoint, family);
  SMELT_TRY(binder.check_layers(std::max(c.n_layers, c.encoder.n_layers), key));
  T5Weights w;
  const Shape table = {c.n_vocab, c.d_model};
  SMELT_TRY(binder.bind("token_embd.weight", -1, table, w.embedding, Presence::required, w.owned));
  w.head.w = w.embedding;
  if (!c.tied_head) SMELT_TRY(binder.bind("output.weight", -1, table, w.head.w, Presence::required, w.owned));
  SMELT_TRY(StackBinder(binder, c, "enc", w.owned).bind(c.encoder.n_layers, w.encoder));
  SMELT_TRY(StackBinder(binder, c, "dec", w.owned).bind(c.n_layers, w.decoder));
  return w;
}

std::vector<Linear*> linears_of(T5Weights& w) {
  std::vector<Linear*> all = {&w.head};
  for (T5Stack* stack : {&w.encoder, &w.decoder}) {
    for (T5Block& b : stack->blocks) {
      for (Linear* linear : {&b.self.q, &b.self.k, &b.self.v, &b.self.o, &b.cross.q, &b.cross.k, &b.cross.v, &b.cross.o,
                             &b.gate, &b.up, &b.down}) {
        if (linear->w.shape.rank > 0) all.push_back(linear);
      }
    }
  }
  return all;
}

}  // namespace smelt
