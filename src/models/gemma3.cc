// The Gemma 3 family (Gemma Team, arXiv 2503.19786), text models: Gemma with norms before and after each half of a
// layer, norms of queries and keys, and five layers with a window and a rotary base of their own to each that sees
// everything.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"
#include "models/rope_config.h"

namespace smelt {

extern const ModelFamily gemma3_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Gemma3ForCausalLM"};
constexpr TensorName kNorms[] = {
    plus_one({"output_norm.weight", "model.norm.weight"}),
    plus_one({"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"}),
    plus_one({"blk.{}.attn_q_norm.weight", "model.layers.{}.self_attn.q_norm.weight"}),
    plus_one({"blk.{}.attn_k_norm.weight", "model.layers.{}.self_attn.k_norm.weight"}),
    plus_one({"blk.{}.post_attention_norm.weight", "model.layers.{}.post_attention_layernorm.weight"}),
    plus_one({"blk.{}.ffn_norm.weight", "model.layers.{}.pre_feedforward_layernorm.weight"}),
    plus_one({"blk.{}.post_ffw_norm.weight", "model.layers.{}.post_feedforward_layernorm.weight"})};
constexpr auto kTensorNames = join_names(kEmbeddings, kNorms, kAttention, kGatedMlp);

constexpr int64_t kPattern = 6;
constexpr float kLocalBase = 10000.0F;
constexpr int64_t kLayersOf27b = 62;

void finish(float local_base, ModelConfig& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  for (LayerConfig& layer : c.layers) layer.local_rope = layer.window > 0;
  c.local_inv_freq = make_inv_freq({.base = local_base}, c.n_rope);
}

float default_scale(const ModelConfig& c) { return 1.0F / std::sqrt(static_cast<float>(c.d_head)); }

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  SMELT_TRY(refuse_if_true(metadata, "use_bidirectional_attention", "attention to later tokens"));
  SMELT_ASSIGN(const float cap, read_float_or(metadata, "attn_logit_softcapping", 0, 1e6, 0));
  if (cap > 0) return bad_value(metadata, "attn_logit_softcapping", fmt::format("{:g}", cap), "only null is supported");
  SMELT_ASSIGN(c.logit_cap, read_float_or(metadata, "final_logit_softcapping", 0, 1e6, 0));
  SMELT_ASSIGN(const float scalar, read_float_or(metadata, "query_pre_attn_scalar", 1e-6, 1e6, 256));
  c.attention_scale = 1.0F / std::sqrt(scalar);
  SMELT_ASSIGN(const auto window, find_count(metadata, "sliding_window", {0, kMaxContext}));
  SMELT_ASSIGN(const auto pattern, find_count(metadata, "sliding_window_pattern", {1, kMaxLayers}));
  SMELT_TRY(read_layer_types(metadata, window.value_or(0), pattern.value_or(kPattern), c));
  const std::string section = "rope_parameters.sliding_attention.";
  SMELT_ASSIGN(const auto kind, metadata.find_string(section + "rope_type"));
  if (kind && *kind != "default") {
    return bad_value(metadata, section + "rope_type", "'" + escape_for_display(*kind) + "'",
                     "only 'default' is supported");
  }
  const std::string key = metadata.contains(section + "rope_theta") ? section + "rope_theta" : "rope_local_base_freq";
  SMELT_ASSIGN(const float base, read_float_or(metadata, key, 1, 1e12, kLocalBase));
  finish(base, c);
  return {};
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(c.logit_cap, read_float_or(metadata, "gemma3.final_logit_softcapping", 0, 1e6, 0));
  SMELT_ASSIGN(const auto window, find_count(metadata, "gemma3.attention.sliding_window", {0, kMaxContext}));
  SMELT_TRY(read_window_pattern(metadata, window.value_or(0), kPattern, c));
  // The 27B model's scale follows from its width; others', and files made here, are as they say.
  const float fallback = c.n_layers == kLayersOf27b
                             ? 1.0F / std::sqrt(static_cast<float>(c.d_model) / static_cast<float>(c.n_heads))
                             : default_scale(c);
  SMELT_ASSIGN(c.attention_scale, read_float_or(metadata, "gemma3.attention.scale", 0, 1e6, fallback));
  SMELT_ASSIGN(const float base, read_float_or(metadata, "gemma3.rope.freq_base_swa", 1, 1e12, kLocalBase));
  finish(base, c);
  return {};
}

// The base behind frequencies of the form base^(-2i/n_rope).
float local_base(const ModelConfig& c) {
  if (c.local_inv_freq.size() < 2) return kLocalBase;
  const double exponent = -static_cast<double>(c.n_rope) / 2;
  return static_cast<float>(std::round(std::pow(static_cast<double>(c.local_inv_freq[1]), exponent)));
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  add_window_pattern(c, kPattern, prefix, metadata);
  metadata.set(prefix + "rope.freq_base_swa", MetaValue::of_f32(local_base(c)));
  if (c.logit_cap > 0) metadata.set(prefix + "final_logit_softcapping", MetaValue::of_f32(c.logit_cap));
  if (c.attention_scale == default_scale(c) && c.n_layers != kLayersOf27b) return;
  metadata.set(prefix + "attention.scale", MetaValue::of_f32(c.attention_scale));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_layer_types(c, metadata);
  metadata.set("rope_local_base_freq", json_number(local_base(c)));
  metadata.set("query_pre_attn_scalar", json_number(1.0F / (c.attention_scale * c.attention_scale)));
  if (c.logit_cap > 0) metadata.set("final_logit_softcapping", json_number(c.logit_cap));
}

}  // namespace

extern const ModelFamily gemma3_family = {
    .name = "gemma3",
    .gguf_architecture = "gemma3",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "gemma3_text",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.activation = Activation::gelu_tanh,
             .tied_default = true,
             .hf = {.activation = "hidden_activation", .rope_section = "full_attention."},
             .read_gguf = read_gguf,
             .read_hf = read_hf,
             .add_gguf = add_gguf,
             .add_hf = add_hf}};

}  // namespace smelt
