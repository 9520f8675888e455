#include "models/layers/ssm_weights.h"

#include "models/decoder.h"

namespace smelt {
namespace {

Status bind_norm(const WeightBinder& binder, const char* name, int64_t layer, const ModelConfig& c, NormWeights& norm) {
  norm.eps = c.norm_eps;
  return binder.bind(name, layer, c.d_model, norm.weight, Presence::required);
}

Status bind_vectors(const WeightBinder& binder, int64_t layer, const ModelConfig& c, SsmLayer& w) {
  const int64_t d_conv = c.ssm.d_conv();
  std::vector<float> filters;  // [d_conv][n_taps]
  const struct {
    const char* name;
    int64_t n;
    std::vector<float>& values;
  } vectors[] = {{"blk.{}.ssm_conv1d.weight", d_conv * c.ssm.n_taps, filters},
                 {"blk.{}.ssm_conv1d.bias", d_conv, w.bias},
                 {"blk.{}.ssm_dt.bias", c.n_heads, w.dt},
                 {"blk.{}.ssm_a", c.n_heads, w.a},
                 {"blk.{}.ssm_d", c.n_heads, w.skip},
                 {"blk.{}.ssm_norm.weight", c.ssm.d_inner, w.gated}};
  for (const auto& [name, n, values] : vectors) SMELT_TRY(binder.bind(name, layer, n, values, binder.presence(name)));
  if (w.bias.empty()) w.bias.resize(static_cast<size_t>(d_conv));
  w.taps.resize(filters.size());
  for (int64_t i = 0; i < d_conv; ++i) {
    for (int64_t j = 0; j < c.ssm.n_taps; ++j)
      w.taps[static_cast<size_t>(j * d_conv + i)] = filters[static_cast<size_t>(i * c.ssm.n_taps + j)];
  }
  return {};
}

Status bind_layer(const WeightBinder& binder, int64_t layer, const ModelConfig& c, SsmLayer& w, OwnedTensors& owned) {
  const int64_t d_inner = c.ssm.d_inner;
  const int64_t d_in = d_inner + c.ssm.d_conv() + c.n_heads;
  SMELT_TRY(bind_norm(binder, "blk.{}.attn_norm.weight", layer, c, w.norm));
  SMELT_TRY(binder.bind("blk.{}.ssm_in.weight", layer, {d_in, c.d_model}, w.in.w, Presence::required, owned));
  SMELT_TRY(binder.bind("blk.{}.ssm_out.weight", layer, {c.d_model, d_inner}, w.out.w, Presence::required, owned));
  return bind_vectors(binder, layer, c, w);
}

}  // namespace

Result<SsmWeights> bind_ssm_weights(const Checkpoint& checkpoint, const ModelConfig& c, const ModelFamily& family) {
  const WeightBinder binder(checkpoint, family, c);
  SMELT_TRY(binder.check_layers(c.n_layers, n_layers_key(checkpoint, family)));
  SsmWeights w;
  const Shape table = {c.n_vocab, c.d_model};
  SMELT_TRY(binder.bind("token_embd.weight", -1, table, w.embedding, Presence::required, w.owned));
  SMELT_TRY(bind_norm(binder, "output_norm.weight", -1, c, w.norm));
  w.head.w = w.embedding;
  if (!c.tied_head) SMELT_TRY(binder.bind("output.weight", -1, table, w.head.w, Presence::required, w.owned));
  w.layers.resize(static_cast<size_t>(c.n_layers));
  for (int64_t l = 0; l < c.n_layers; ++l) {
    SMELT_TRY(bind_layer(binder, l, c, w.layers[static_cast<size_t>(l)], w.owned));
  }
  return w;
}

std::vector<Linear*> linears_of(SsmWeights& w) {
  std::vector<Linear*> all = {&w.head};
  for (SsmLayer& l : w.layers) {
    all.push_back(&l.in);
    all.push_back(&l.out);
  }
  return all;
}

}  // namespace smelt
