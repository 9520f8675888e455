// The Granite family (IBM, 2024: Granite 3): Llama's decoder with multipliers of embedding, attention, residual stream
// and logits.
#include <cmath>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily granite_family;

namespace {

constexpr const char* kHfArchitectures[] = {"GraniteForCausalLM"};
constexpr auto kTensorNames =
    join_names(kTrunk, kPreNorms, kReorderedAttention, kReorderedAttentionBiases, kGatedMlp, kGatedMlpBiases);
constexpr double kMin = 1e-9;
constexpr double kMax = 1e9;

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(c.embedding_scale, read_float_or(metadata, "embedding_multiplier", kMin, kMax, 1));
  SMELT_ASSIGN(c.residual_scale, read_float_or(metadata, "residual_multiplier", kMin, kMax, 1));
  SMELT_ASSIGN(c.attention_scale, read_float_or(metadata, "attention_multiplier", kMin, kMax, 1));
  SMELT_ASSIGN(const float divisor, read_float_or(metadata, "logits_scaling", kMin, kMax, 1));
  c.logit_scale = 1.0F / divisor;
  return {};
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(c.embedding_scale, read_float_or(metadata, "granite.embedding_scale", kMin, kMax, 1));
  SMELT_ASSIGN(c.residual_scale, read_float_or(metadata, "granite.residual_scale", kMin, kMax, 1));
  SMELT_ASSIGN(c.attention_scale, read_float_or(metadata, "granite.attention.scale", 0, kMax, 0));
  SMELT_ASSIGN(const float divisor, read_float_or(metadata, "granite.logit_scale", kMin, kMax, 1));
  c.logit_scale = 1.0F / divisor;
  return {};
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  metadata.set(prefix + "embedding_scale", MetaValue::of_f32(c.embedding_scale));
  metadata.set(prefix + "residual_scale", MetaValue::of_f32(c.residual_scale));
  metadata.set(prefix + "attention.scale", MetaValue::of_f32(c.attention_scale));
  metadata.set(prefix + "logit_scale", MetaValue::of_f32(1.0F / c.logit_scale));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  const float root = std::sqrt(static_cast<float>(c.d_head));
  metadata.set("embedding_multiplier", json_number(c.embedding_scale));
  metadata.set("residual_multiplier", json_number(c.residual_scale));
  metadata.set("attention_multiplier", json_number(c.attention_scale > 0 ? c.attention_scale : 1.0F / root));
  metadata.set("logits_scaling", json_number(1.0F / c.logit_scale));
}

}  // namespace

extern const ModelFamily granite_family = {
    .name = "granite",
    .gguf_architecture = "granite",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "granite",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.gguf_rope = RopeLayout::interleaved,
             .hf = {.qkv_bias = "attention_bias", .output_bias = "attention_bias", .mlp_bias = "mlp_bias"},
             .read_gguf = read_gguf,
             .read_hf = read_hf,
             .add_gguf = add_gguf,
             .add_hf = add_hf}};

}  // namespace smelt
