// The configuration of families of Llama's form, from GGUF keys or config.json. Called by the families' parse_config.
// What a family's variants have and smelt does not is refused by key and value.
#include <fmt/format.h>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/rope_config.h"

namespace smelt {
namespace {

// Keys of the two dialects for the same thing.
struct Keys {
  std::string n_layers, d_model, d_ff, n_heads, n_kv_heads, d_head, n_ctx, n_vocab, eps;
};

Keys gguf_keys(const std::string& prefix) {
  return {prefix + ".block_count",
          prefix + ".embedding_length",
          prefix + ".feed_forward_length",
          prefix + ".attention.head_count",
          prefix + ".attention.head_count_kv",
          prefix + ".attention.key_length",
          prefix + ".context_length",
          prefix + ".vocab_size",
          prefix + ".attention.layer_norm_rms_epsilon"};
}

Keys hf_keys() {
  return {"num_hidden_layers",       "hidden_size",         "intermediate_size",
          "num_attention_heads",     "num_key_value_heads", "head_dim",
          "max_position_embeddings", "vocab_size",          "rms_norm_eps"};
}

Status read_heads(const Metadata& metadata, const Keys& keys, ModelConfig& c) {
  SMELT_ASSIGN(c.n_heads, read_count(metadata, keys.n_heads, {1, kMaxHeads}));
  SMELT_ASSIGN(const auto n_kv_heads, find_count(metadata, keys.n_kv_heads, {1, kMaxHeads}));
  c.n_kv_heads = n_kv_heads.value_or(c.n_heads);
  if (c.n_heads % c.n_kv_heads != 0) {
    return bad_count(metadata, keys.n_kv_heads, c.n_kv_heads,
                     fmt::format("wanted a divisor of {} = {}", keys.n_heads, c.n_heads));
  }
  SMELT_ASSIGN(const auto d_head, find_count(metadata, keys.d_head, {2, kMaxHeadDim}));
  if (!d_head && c.d_model % c.n_heads != 0) {
    return bad_count(metadata, keys.n_heads, c.n_heads,
                     fmt::format("wanted a divisor of {} = {}", keys.d_model, c.d_model));
  }
  c.d_head = d_head.value_or(c.d_model / c.n_heads);
  if (c.d_head % 2 != 0 || c.d_head == 0 || c.d_head > kMaxHeadDim) {
    return bad_count(metadata, d_head ? keys.d_head : keys.n_heads, d_head ? c.d_head : c.n_heads,
                     fmt::format("which makes heads of {} values, allowed even numbers 2 … {}", c.d_head, kMaxHeadDim));
  }
  return {};
}

Status read_sizes(const Metadata& metadata, const Keys& keys, ModelConfig& c) {
  SMELT_ASSIGN(c.n_layers, read_count(metadata, keys.n_layers, {1, kMaxLayers}));
  SMELT_ASSIGN(c.d_model, read_count(metadata, keys.d_model, {1, kMaxModelDim}));
  SMELT_ASSIGN(c.d_ff, read_count(metadata, keys.d_ff, {1, kMaxFeedForward}));
  SMELT_ASSIGN(c.n_ctx_train, read_count(metadata, keys.n_ctx, {1, kMaxContext}));
  SMELT_ASSIGN(c.rms_norm_eps, read_float_or(metadata, keys.eps, 0, 1, 1e-6F));
  return read_heads(metadata, keys, c);
}

Status read_rotated_dims(const Metadata& metadata, const std::string& key, ModelConfig& c) {
  SMELT_ASSIGN(const auto n_rope, find_count(metadata, key, {2, kMaxHeadDim}));
  c.n_rope = n_rope.value_or(c.d_head);
  if (c.n_rope % 2 == 0 && c.n_rope <= c.d_head) return {};
  return bad_count(metadata, key, c.n_rope, fmt::format("allowed even numbers 2 … {} (the size of a head)", c.d_head));
}

constexpr const char* kTokensKey = "tokenizer.ggml.tokens";

// The embedding has the last word on the vocabulary's size; keys that say otherwise are wrong.
Status read_vocab_size(const Checkpoint& checkpoint, const Keys& keys, const char* embedding_name, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  const TensorEntry* embedding = checkpoint.find_tensor(embedding_name);
  SMELT_ASSIGN(const auto stated, find_count(metadata, keys.n_vocab, {1, kMaxVocab}));
  const int64_t rows = embedding == nullptr ? 0 : embedding->view.rows();
  if (stated && embedding != nullptr && *stated != rows) {
    return bad_count(metadata, keys.n_vocab, *stated, fmt::format("but tensor '{}' has {} rows", embedding_name, rows));
  }
  SMELT_ASSIGN(const std::vector<std::string>* tokens, metadata.find_strings(kTokensKey));
  const auto n_tokens = static_cast<int64_t>(tokens == nullptr ? 0 : tokens->size());
  c.n_vocab = stated.value_or(rows > 0 ? rows : n_tokens);
  if (c.n_vocab < 1 || c.n_vocab > kMaxVocab) {
    return bad_count(metadata, keys.n_vocab, c.n_vocab, fmt::format("allowed 1 … {}", kMaxVocab));
  }
  if (n_tokens == 0 || n_tokens == c.n_vocab) return {};
  return input_error(
      fmt::format("{} has {} tokens, but the model has {}", metadata.title(kTokensKey), n_tokens, c.n_vocab));
}

Status refuse_gguf_variants(const Metadata& metadata, const std::string& prefix, const ModelConfig& c) {
  const std::string experts_key = prefix + ".expert_count";
  SMELT_ASSIGN(const auto n_experts, find_count(metadata, experts_key, {0, kMaxVocab}));
  if (n_experts.value_or(0) > 0) {
    return bad_count(metadata, experts_key, *n_experts, "mixtures of experts are not supported");
  }
  const std::string value_key = prefix + ".attention.value_length";
  SMELT_ASSIGN(const auto d_value, find_count(metadata, value_key, {1, kMaxHeadDim}));
  if (d_value.value_or(c.d_head) == c.d_head) return {};
  return bad_count(metadata, value_key, *d_value, fmt::format("wanted the key length {}", c.d_head));
}

Status refuse_foreign_weights(const Metadata& metadata) {
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with("quantization_config")) continue;
    SMELT_ASSIGN(const auto method, metadata.find_string("quantization_config.quant_method"));
    return bad_value(metadata, "quantization_config.quant_method",
                     fmt::format("'{}'", escape_for_display(method.value_or("?"))),
                     "weights quantized by other tools are not supported; start from the original model");
  }
  return {};
}

Result<ModelConfig> parse_gguf_config(const Checkpoint& checkpoint, const DecoderVariant& variant, ModelConfig c) {
  const Metadata& metadata = checkpoint.metadata();
  const std::string prefix = variant.name;
  const Keys keys = gguf_keys(prefix);
  SMELT_ASSIGN(const auto name, metadata.find_string("general.name"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(metadata, keys, c));
  SMELT_TRY(read_vocab_size(checkpoint, keys, "token_embd.weight", c));
  SMELT_TRY(refuse_gguf_variants(metadata, prefix, c));
  if (variant.gguf_window) {
    SMELT_ASSIGN(const auto window, find_count(metadata, prefix + ".attention.sliding_window", {0, kMaxContext}));
    c.window = window.value_or(0);
  }
  SMELT_TRY(read_rotated_dims(metadata, prefix + ".rope.dimension_count", c));
  SMELT_ASSIGN(const RopeConfig rope, parse_gguf_rope(metadata, prefix));
  SMELT_ASSIGN(const auto factors, find_rope_factors(checkpoint, c.n_rope));
  c.tied_head = checkpoint.find_tensor("output.weight") == nullptr;
  c.rope_layout = variant.gguf_rope;
  c.rope_base = rope.base;
  c.inv_freq = make_inv_freq(rope, c.n_rope);
  for (size_t i = 0; factors && i < c.inv_freq.size(); ++i) c.inv_freq[i] /= (*factors)[i];
  return c;
}

Result<ModelConfig> parse_hf_config(const Checkpoint& checkpoint, const DecoderVariant& variant, ModelConfig c) {
  const Metadata& metadata = checkpoint.metadata();
  const Keys keys = hf_keys();
  SMELT_ASSIGN(const auto name, metadata.find_string("_name_or_path"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(metadata, keys, c));
  SMELT_TRY(read_vocab_size(checkpoint, keys, "model.embed_tokens.weight", c));
  SMELT_TRY(require_string(metadata, "hidden_act", "silu"));
  SMELT_TRY(refuse_foreign_weights(metadata));
  SMELT_TRY(variant.read_hf_variant(metadata, c));
  c.n_rope = c.d_head;
  SMELT_ASSIGN(const RopeConfig rope, parse_hf_rope(metadata));
  SMELT_ASSIGN(const auto tied, metadata.find_bool("tie_word_embeddings"));
  c.tied_head = tied.value_or(false);
  c.rope_layout = RopeLayout::half_split;
  c.rope_base = rope.base;
  c.inv_freq = make_inv_freq(rope, c.n_rope);
  return c;
}

}  // namespace

Result<ModelConfig> parse_decoder_config(const Checkpoint& checkpoint, const DecoderVariant& variant) {
  ModelConfig c;
  c.family = variant.name;
  if (checkpoint.dialect() == Dialect::gguf) {
    c.architecture = variant.name;
    return parse_gguf_config(checkpoint, variant, std::move(c));
  }
  SMELT_ASSIGN(const std::vector<std::string>* names, checkpoint.metadata().find_strings("architectures"));
  c.architecture = names == nullptr || names->empty() ? "" : names->front();
  return parse_hf_config(checkpoint, variant, std::move(c));
}

std::string n_layers_key(const Checkpoint& checkpoint, const ModelFamily& family) {
  return checkpoint.dialect() == Dialect::gguf ? gguf_keys(family.gguf_architecture).n_layers : hf_keys().n_layers;
}

}  // namespace smelt
