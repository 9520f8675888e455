// T5 (Raffel et al., arXiv 1910.10683): an encoder and a decoder, feed-forwards with ReLU; and the configuration of all
// its successors.
#include <cmath>

#include "models/canonical_keys.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"
#include "models/layers/biased_attention.h"
#include "models/layers/t5.h"
#include "models/t5_names.h"

namespace smelt {

extern const ModelFamily t5_family;

namespace {

constexpr TensorName kUps[] = {{"enc.blk.{}.ffn_up.weight", "encoder.block.{}.layer.1.DenseReluDense.wi.weight"},
                               {"dec.blk.{}.ffn_up.weight", "decoder.block.{}.layer.2.DenseReluDense.wi.weight"}};
constexpr auto kTensorNames = join_names(kT5Names, kUps);
constexpr int64_t kTrainedContext = 512;  // where config.json does not say

struct Keys {
  std::string n_layers, n_decoder_layers, d_model, d_ff, n_heads, d_head, n_buckets, start, n_ctx, n_vocab, eps;
};
const Keys kHfKeys = {"num_layers",
                      "num_decoder_layers",
                      "d_model",
                      "d_ff",
                      "num_heads",
                      "d_kv",
                      "relative_attention_num_buckets",
                      "decoder_start_token_id",
                      "n_positions",
                      "vocab_size",
                      "layer_norm_epsilon"};

Keys gguf_keys(const std::string& prefix) {
  return {prefix + "block_count",
          prefix + "decoder_block_count",
          prefix + "embedding_length",
          prefix + "feed_forward_length",
          prefix + "attention.head_count",
          prefix + "attention.key_length",
          prefix + "attention.relative_buckets_count",
          prefix + "decoder_start_token_id",
          prefix + "context_length",
          prefix + "vocab_size",
          prefix + "attention.layer_norm_rms_epsilon"};
}

Status read_sizes(const Checkpoint& checkpoint, const ModelFamily& family, const Keys& keys, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_ASSIGN(c.encoder.n_layers, read_count(metadata, keys.n_layers, {1, kMaxLayers}));
  SMELT_ASSIGN(const auto n_layers, find_count(metadata, keys.n_decoder_layers, {1, kMaxLayers}));
  c.n_layers = n_layers.value_or(c.encoder.n_layers);
  SMELT_ASSIGN(c.d_model, read_count(metadata, keys.d_model, {1, kMaxModelDim}));
  SMELT_ASSIGN(c.d_ff, read_count(metadata, keys.d_ff, {1, kMaxFeedForward}));
  SMELT_ASSIGN(c.n_heads, read_count(metadata, keys.n_heads, {1, kMaxHeads}));
  SMELT_ASSIGN(c.d_head, read_count(metadata, keys.d_head, {1, kMaxHeadDim}));
  SMELT_ASSIGN(const auto n_buckets, find_count(metadata, keys.n_buckets, {4, 2 * kMaxBiasDistance - 2}));
  c.encoder.n_buckets = n_buckets.value_or(32);
  if (c.encoder.n_buckets % 4 != 0) {
    return bad_count(metadata, keys.n_buckets, c.encoder.n_buckets, "wanted a multiple of 4");
  }
  SMELT_ASSIGN(const auto n_ctx, find_count(metadata, keys.n_ctx, {1, kMaxContext}));
  c.n_ctx_train = n_ctx.value_or(kTrainedContext);
  SMELT_ASSIGN(c.norm_eps, read_float_or(metadata, keys.eps, 0, 1, 1e-6F));
  SMELT_TRY(read_vocab_size(checkpoint, family, keys.n_vocab, c));
  SMELT_ASSIGN(const auto start, find_count(metadata, keys.start, {0, c.n_vocab - 1}));
  c.encoder.start_token = static_cast<int32_t>(start.value_or(0));
  return {};
}

// Where the embedding was made to be the head as well, what it is multiplied with is scaled down; transformers 5 writes
// so, earlier ones meant it by "tie_word_embeddings". The scale itself waits for d_model.
Status read_scaling(const Metadata& metadata, const std::string& prefix, ModelConfig& c) {
  SMELT_ASSIGN(const auto scaled, metadata.find_bool(prefix + "scale_decoder_outputs"));
  SMELT_ASSIGN(const auto tied, metadata.find_bool(prefix + "tie_word_embeddings"));
  if (scaled.value_or(tied.value_or(c.tied_head))) c.logit_scale = 0;
  return {};
}

Status read_gguf(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig& c) {
  SMELT_ASSIGN(const auto name, checkpoint.metadata().find_string("general.name"));
  c.name = name.value_or("");
  c.architecture = family.gguf_architecture;
  c.tied_head = checkpoint.find_tensor("output.weight") == nullptr;
  SMELT_TRY(read_scaling(checkpoint.metadata(), kConfigPrefix, c));
  return read_sizes(checkpoint, family, gguf_keys(c.architecture + "."), c);
}

Status read_hf(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_ASSIGN(const auto name, metadata.find_string("_name_or_path"));
  c.name = name.value_or("");
  c.architecture = kT5HfArchitectures[0];
  c.tied_head = checkpoint.find_tensor("lm_head.weight") == nullptr;  // transformers 5 calls all of them tied
  SMELT_TRY(read_scaling(metadata, "", c));
  SMELT_TRY(require_string(metadata, "feed_forward_proj", family.form.gated ? "gated-gelu" : "relu"));
  const char* distance_key = "relative_attention_max_distance";
  SMELT_ASSIGN(const auto distance, find_count(metadata, distance_key, {1, kMaxContext}));
  if (distance.value_or(kMaxBiasDistance) != kMaxBiasDistance) {
    return bad_count(metadata, distance_key, *distance, "only 128 is supported, which GGUF files take for granted");
  }
  SMELT_TRY(refuse_foreign_weights(metadata));
  return read_sizes(checkpoint, family, kHfKeys, c);
}

bool claims(const Checkpoint& checkpoint) { return !is_gated_t5(checkpoint); }

}  // namespace

bool is_gated_t5(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() == Dialect::gguf) return checkpoint.find_tensor("enc.blk.0.ffn_gate.weight") != nullptr;
  const auto projection = checkpoint.metadata().find_string("feed_forward_proj");
  return projection && projection->value_or("").starts_with("gated");
}

Result<ModelConfig> parse_t5_config(const Checkpoint& checkpoint, const ModelFamily& family) {
  ModelConfig c;
  c.family = family.name;
  c.gated = family.form.gated;
  c.activation = family.form.activation;
  c.rope_layout = RopeLayout::half_split;
  const auto read = checkpoint.dialect() == Dialect::gguf ? read_gguf : read_hf;
  SMELT_TRY(read(checkpoint, family, c));
  c.layers.resize(static_cast<size_t>(c.n_layers));
  if (c.logit_scale == 0) c.logit_scale = 1.0F / std::sqrt(static_cast<float>(c.d_model));
  return c;
}

void add_t5_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  const Keys keys = gguf_keys(prefix);
  const std::pair<std::string, int64_t> counts[] = {{keys.n_layers, c.encoder.n_layers},
                                                    {keys.n_decoder_layers, c.n_layers},
                                                    {keys.n_heads, c.n_heads},
                                                    {prefix + "attention.head_count_kv", c.n_heads},
                                                    {keys.d_head, c.d_head},
                                                    {prefix + "attention.value_length", c.d_head},
                                                    {keys.n_buckets, c.encoder.n_buckets},
                                                    {keys.start, c.encoder.start_token}};
  for (const auto& [key, value] : counts) metadata.set(key, MetaValue::of_u32(static_cast<uint32_t>(value)));
  metadata.set(prefix + "attention.layer_norm_epsilon", MetaValue::of_f32(c.norm_eps));
}

void add_t5_hf(const ModelConfig& c, Metadata& metadata) {
  metadata.set(kHfKeys.n_layers, MetaValue::of_i64(c.encoder.n_layers));
  metadata.set(kHfKeys.n_decoder_layers, MetaValue::of_i64(c.n_layers));
  metadata.set(kHfKeys.n_buckets, MetaValue::of_i64(c.encoder.n_buckets));
  metadata.set(kHfKeys.start, MetaValue::of_i64(c.encoder.start_token));
  metadata.set("feed_forward_proj", MetaValue::of_string(c.gated ? "gated-gelu" : "relu"));
  metadata.set("scale_decoder_outputs", MetaValue::of_bool(c.logit_scale != 1.0F));
  metadata.set("is_encoder_decoder", MetaValue::of_bool(true));
}

extern const ModelFamily t5_family = {.name = "t5",
                                      .gguf_architecture = "t5",
                                      .hf_architectures = kT5HfArchitectures,
                                      .hf_model_type = "t5",
                                      .tensors = kTensorNames,
                                      .parse_config = parse_t5_config,
                                      .load = load_t5,
                                      .form = {.rotates = false,
                                               .activation = Activation::relu,
                                               .gated = false,
                                               .tied_default = true,
                                               .hf = kT5HfKeys,
                                               .add_gguf = add_t5_gguf,
                                               .add_hf = add_t5_hf},
                                      .claims = claims};

}  // namespace smelt
