// The ModernBERT family (Warner et al., arXiv 2412.13663): norms before each half of a layer, rotary positions, a gated
// feed-forward, and two layers of three that see a window around each token, rotated by a base of their own.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/encoder_family.h"
#include "models/rope_config.h"

namespace smelt {

extern const ModelFamily modernbert_family;

namespace {

constexpr const char* kHfArchitectures[] = {"ModernBertModel", "ModernBertForSequenceClassification",
                                            "ModernBertForTokenClassification", "ModernBertForMaskedLM"};
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "model.embeddings.tok_embeddings.weight"},
    {"token_embd_norm.weight", "model.embeddings.norm.weight"},
    optional_tensor({"token_embd_norm.bias", "model.embeddings.norm.bias"}),
    {"output_norm.weight", "model.final_norm.weight"},
    optional_tensor({"output_norm.bias", "model.final_norm.bias"}),
    optional_tensor({"blk.{}.attn_norm.weight", "model.layers.{}.attn_norm.weight"}),  // layer 0 has none
    optional_tensor({"blk.{}.attn_norm.bias", "model.layers.{}.attn_norm.bias"}),
    {"blk.{}.attn_qkv.weight", "model.layers.{}.attn.Wqkv.weight"},
    optional_tensor({"blk.{}.attn_qkv.bias", "model.layers.{}.attn.Wqkv.bias"}),
    {"blk.{}.attn_output.weight", "model.layers.{}.attn.Wo.weight"},
    optional_tensor({"blk.{}.attn_output.bias", "model.layers.{}.attn.Wo.bias"}),
    {"blk.{}.ffn_norm.weight", "model.layers.{}.mlp_norm.weight"},
    optional_tensor({"blk.{}.ffn_norm.bias", "model.layers.{}.mlp_norm.bias"}),
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.Wi.weight"},
    optional_tensor({"blk.{}.ffn_up.bias", "model.layers.{}.mlp.Wi.bias"}),
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.Wo.weight"},
    optional_tensor({"blk.{}.ffn_down.bias", "model.layers.{}.mlp.Wo.bias"}),
    optional_tensor({"cls.weight", "head.dense.weight"}),
    optional_tensor({"cls.bias", "head.dense.bias"}),
    optional_tensor({"cls.norm.weight", "head.norm.weight"}),
    optional_tensor({"cls.norm.bias", "head.norm.bias"}),
    optional_tensor({"cls.output.weight", "classifier.weight"}),
    optional_tensor({"cls.output.bias", "classifier.bias"})};

constexpr int64_t kPattern = 3;  // every third layer sees all, from the first on
constexpr float kLocalBase = 10000.0F;

// `wide`: tokens that a layer with a window sees, about half of them on each side.
int64_t window_of(int64_t wide) { return wide / 2 + 1; }

void set_pattern(int64_t window, int64_t pattern, ModelConfig& c) {
  c.layers.assign(static_cast<size_t>(c.n_layers), LayerConfig{});
  for (size_t l = 0; l < c.layers.size(); ++l) {
    const bool slides = pattern > 0 && static_cast<int64_t>(l) % pattern != 0;
    c.layers[l].window = slides ? window : 0;
  }
}

void finish(float local_base, ModelConfig& c) {
  c.encoder->head_activation = HeadActivation::gelu_erf;
  for (LayerConfig& layer : c.layers) layer.local_rope = layer.window > 0;
  c.local_inv_freq = make_inv_freq({.base = local_base}, c.n_rope);
}

Status read_layer_kinds(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(const int64_t wide, read_count(metadata, "local_attention", {1, kMaxContext}));
  SMELT_ASSIGN(const auto pattern, find_count(metadata, "global_attn_every_n_layers", {1, kMaxLayers}));
  SMELT_TRY(read_layer_types(metadata, window_of(wide), 0, c));
  if (!metadata.contains("layer_types")) set_pattern(window_of(wide), pattern.value_or(kPattern), c);
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_hf_encoder(metadata, c));
  SMELT_TRY(require_string(metadata, "classifier_activation", "gelu"));
  SMELT_TRY(read_layer_kinds(metadata, c));
  SMELT_ASSIGN(const auto pooling, metadata.find_string("classifier_pooling"));
  if (pooling && *pooling != "cls" && *pooling != "mean") {
    return bad_value(metadata, "classifier_pooling", fmt::format("'{}'", escape_for_display(*pooling)),
                     "supported: 'cls', 'mean'");
  }
  c.encoder->head_pooling = pooling.value_or("cls") == "mean" ? Pooling::mean : Pooling::cls;
  const std::string section = "rope_parameters.sliding_attention.";
  SMELT_TRY(require_string(metadata, section + "rope_type", "default"));
  const std::string key = metadata.contains(section + "rope_theta") ? section + "rope_theta" : "local_rope_theta";
  SMELT_ASSIGN(const float base, read_float_or(metadata, key, 1, 1e12, kLocalBase));
  finish(base, c);
  return {};
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_gguf_encoder(metadata, c));
  const std::string prefix = c.architecture + ".attention.sliding_window";
  SMELT_ASSIGN(const auto wide, find_count(metadata, prefix, {0, kMaxContext}));
  const int64_t window = wide.value_or(0) > 0 ? window_of(*wide) : 0;
  const MetaValue* flags = metadata.find(prefix + "_pattern");
  if (flags != nullptr && flags->type == MetaType::array) {
    SMELT_TRY(read_window_pattern(metadata, window, kPattern, c));
  } else {
    SMELT_ASSIGN(const auto every, find_count(metadata, prefix + "_pattern", {0, kMaxLayers}));
    set_pattern(window, every.value_or(kPattern), c);
  }
  SMELT_ASSIGN(const float base, read_float_or(metadata, c.architecture + ".rope.freq_base_swa", 1, 1e12, kLocalBase));
  finish(base, c);
  return {};
}

// The base behind frequencies of the form base^(-2i/n_rope).
float local_base(const ModelConfig& c) {
  if (c.local_inv_freq.size() < 2) return kLocalBase;
  const double exponent = -static_cast<double>(c.n_rope) / 2;
  return static_cast<float>(std::round(std::pow(static_cast<double>(c.local_inv_freq[1]), exponent)));
}

int64_t widest(const ModelConfig& c) {
  int64_t window = 0;
  for (const LayerConfig& layer : c.layers) window = std::max(window, layer.window);
  return window == 0 ? 0 : 2 * (window - 1);
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  add_gguf_encoder(c, prefix, metadata);
  metadata.set(prefix + "rope.freq_base_swa", MetaValue::of_f32(local_base(c)));
  if (widest(c) == 0) return;
  metadata.set(prefix + "attention.sliding_window", MetaValue::of_u32(static_cast<uint32_t>(widest(c))));
  ModelConfig usual = c;
  set_pattern(widest(c) / 2 + 1, kPattern, usual);
  const auto same = [](const LayerConfig& a, const LayerConfig& b) { return a.window == b.window; };
  const std::string key = prefix + "attention.sliding_window_pattern";
  if (std::equal(c.layers.begin(), c.layers.end(), usual.layers.begin(), same)) {
    metadata.set(key, MetaValue::of_u32(kPattern));
    return;
  }
  std::vector<uint64_t> flags;
  for (const LayerConfig& layer : c.layers) flags.push_back(layer.window > 0 ? 1 : 0);
  metadata.set(key, {MetaType::array, MetaArray{MetaType::boolean, std::move(flags)}});
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_hf_encoder(c, metadata);
  add_layer_types(c, metadata);
  metadata.erase("sliding_window");  // here "local_attention", of both sides together
  metadata.set("local_attention", MetaValue::of_i64(std::max<int64_t>(2, widest(c))));
  metadata.set("local_rope_theta", json_number(local_base(c)));
  metadata.set("classifier_pooling", MetaValue::of_string(c.encoder->head_pooling == Pooling::mean ? "mean" : "cls"));
}

}  // namespace

extern const ModelFamily modernbert_family = {.name = "modernbert",
                                              .gguf_architecture = "modern-bert",
                                              .hf_architectures = kHfArchitectures,
                                              .hf_model_type = "modernbert",
                                              .tensors = kTensorNames,
                                              .parse_config = parse_decoder_config,
                                              .load = nullptr,
                                              .form = {.norm = NormKind::layer,
                                                       .activation = Activation::gelu_erf,
                                                       .hf = {.n_kv_heads = nullptr,
                                                              .d_head = nullptr,
                                                              .eps = "norm_eps",
                                                              .activation = "hidden_activation",
                                                              .rope_base = "global_rope_theta",
                                                              .rope_section = "full_attention.",
                                                              .qkv_bias = "attention_bias",
                                                              .output_bias = "attention_bias",
                                                              .mlp_bias = "mlp_bias"},
                                                       .read_gguf = read_gguf,
                                                       .read_hf = read_hf,
                                                       .add_gguf = add_gguf,
                                                       .add_hf = add_hf},
                                              .hf_prefix = "model.",
                                              .load_encoder = load_layered_encoder};

}  // namespace smelt
