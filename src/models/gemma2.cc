// The Gemma 2 family (Gemma Team, arXiv 2408.00118): Gemma with norms before and after each half of a layer, caps on
// scores and logits, and a window in every other layer.
#include <cmath>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily gemma2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Gemma2ForCausalLM"};
constexpr TensorName kNorms[] = {
    plus_one({"output_norm.weight", "model.norm.weight"}),
    plus_one({"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"}),
    plus_one({"blk.{}.post_attention_norm.weight", "model.layers.{}.post_attention_layernorm.weight"}),
    plus_one({"blk.{}.ffn_norm.weight", "model.layers.{}.pre_feedforward_layernorm.weight"}),
    plus_one({"blk.{}.post_ffw_norm.weight", "model.layers.{}.post_feedforward_layernorm.weight"})};
constexpr auto kTensorNames = join_names(kEmbeddings, kNorms, kAttention, kGatedMlp);

constexpr int64_t kPattern = 2;
constexpr int64_t kWindow = 4096;
constexpr int64_t kLayersOf27b = 46;
constexpr double kMaxCap = 1e6;

float default_scale(const ModelConfig& c) { return 1.0F / std::sqrt(static_cast<float>(c.d_head)); }

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  SMELT_TRY(refuse_if_true(metadata, "use_bidirectional_attention", "attention to later tokens"));
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  SMELT_ASSIGN(c.attention_cap, read_float_or(metadata, "attn_logit_softcapping", 0, kMaxCap, 0));
  SMELT_ASSIGN(c.logit_cap, read_float_or(metadata, "final_logit_softcapping", 0, kMaxCap, 0));
  SMELT_ASSIGN(const float scalar, read_float_or(metadata, "query_pre_attn_scalar", 1e-6, 1e6, 256));
  c.attention_scale = 1.0F / std::sqrt(scalar);
  SMELT_ASSIGN(const auto window, find_count(metadata, "sliding_window", {0, kMaxContext}));
  return read_layer_types(metadata, window.value_or(0), kPattern, c);
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  SMELT_ASSIGN(c.attention_cap, read_float_or(metadata, "gemma2.attn_logit_softcapping", 0, kMaxCap, 0));
  SMELT_ASSIGN(c.logit_cap, read_float_or(metadata, "gemma2.final_logit_softcapping", 0, kMaxCap, 0));
  // The 27B model's scale follows from its width; others', and files made here, are as they say.
  const float fallback = c.n_layers == kLayersOf27b
                             ? 1.0F / std::sqrt(static_cast<float>(c.d_model) / static_cast<float>(c.n_heads))
                             : default_scale(c);
  SMELT_ASSIGN(c.attention_scale, read_float_or(metadata, "gemma2.attention.scale", 0, kMaxCap, fallback));
  SMELT_ASSIGN(const auto window, find_count(metadata, "gemma2.attention.sliding_window", {0, kMaxContext}));
  return read_window_pattern(metadata, window.value_or(kWindow), kPattern, c);
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  add_window_pattern(c, kPattern, prefix, metadata);
  if (c.attention_cap > 0) metadata.set(prefix + "attn_logit_softcapping", MetaValue::of_f32(c.attention_cap));
  if (c.logit_cap > 0) metadata.set(prefix + "final_logit_softcapping", MetaValue::of_f32(c.logit_cap));
  if (c.attention_scale == default_scale(c) && c.n_layers != kLayersOf27b) return;
  metadata.set(prefix + "attention.scale", MetaValue::of_f32(c.attention_scale));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_layer_types(c, metadata);
  metadata.set("query_pre_attn_scalar", json_number(1.0F / (c.attention_scale * c.attention_scale)));
  if (c.attention_cap > 0) metadata.set("attn_logit_softcapping", json_number(c.attention_cap));
  if (c.logit_cap > 0) metadata.set("final_logit_softcapping", json_number(c.logit_cap));
}

}  // namespace

extern const ModelFamily gemma2_family = {.name = "gemma2",
                                          .gguf_architecture = "gemma2",
                                          .hf_architectures = kHfArchitectures,
                                          .hf_model_type = "gemma2",
                                          .tensors = kTensorNames,
                                          .parse_config = parse_decoder_config,
                                          .load = load_decoder,
                                          .form = {.activation = Activation::gelu_tanh,
                                                   .tied_default = true,
                                                   .hf = {.activation = "hidden_activation"},
                                                   .read_gguf = read_gguf,
                                                   .read_hf = read_hf,
                                                   .add_gguf = add_gguf,
                                                   .add_hf = add_hf}};

}  // namespace smelt
