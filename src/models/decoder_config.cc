// The configuration of decoders, from GGUF keys or config.json. Called by models.cc through the families' tables.
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

Keys gguf_keys(const ModelFamily& family) {
  const std::string prefix = family.gguf_architecture;
  const bool is_rms = family.form.norm == NormKind::rms;
  return {prefix + ".block_count",
          prefix + ".embedding_length",
          prefix + ".feed_forward_length",
          prefix + ".attention.head_count",
          prefix + ".attention.head_count_kv",
          prefix + ".attention.key_length",
          prefix + ".context_length",
          prefix + ".vocab_size",
          prefix + (is_rms ? ".attention.layer_norm_rms_epsilon" : ".attention.layer_norm_epsilon")};
}

std::string or_none(const char* key) { return key == nullptr ? "" : key; }

Keys hf_keys(const ModelFamily& family) {
  const HfKeys& keys = family.form.hf;
  return {keys.n_layers,        keys.d_model,        or_none(keys.d_ff), keys.n_heads,     or_none(keys.n_kv_heads),
          or_none(keys.d_head), or_none(keys.n_ctx), "vocab_size",       or_none(keys.eps)};
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

Status read_sizes(const Metadata& metadata, const Keys& keys, float default_eps, ModelConfig& c) {
  SMELT_ASSIGN(c.n_layers, read_count(metadata, keys.n_layers, {1, kMaxLayers}));
  SMELT_ASSIGN(c.d_model, read_count(metadata, keys.d_model, {1, kMaxModelDim}));
  SMELT_ASSIGN(const auto d_ff, find_count(metadata, keys.d_ff, {1, kMaxFeedForward}));
  if (!d_ff && keys.d_ff != "n_inner") return input_error(fmt::format("key '{}' is missing", keys.d_ff));
  c.d_ff = d_ff.value_or(4 * c.d_model);  // as GPT-2 means it
  SMELT_ASSIGN(c.n_ctx_train, read_count(metadata, keys.n_ctx, {1, kMaxContext}));
  SMELT_ASSIGN(c.norm_eps, read_float_or(metadata, keys.eps, 0, 1, default_eps));
  return read_heads(metadata, keys, c);
}

Status read_rotated_dims(const Metadata& metadata, const std::string& key, ModelConfig& c) {
  SMELT_ASSIGN(const auto n_rope, find_count(metadata, key, {2, kMaxHeadDim}));
  c.n_rope = n_rope.value_or(c.d_head);
  if (c.n_rope % 2 == 0 && c.n_rope <= c.d_head) return {};
  return bad_count(metadata, key, c.n_rope, fmt::format("allowed even numbers 2 … {} (the size of a head)", c.d_head));
}

Status refuse_gguf_variants(const Metadata& metadata, const std::string& prefix, const ModelConfig& c) {
  const std::string value_key = prefix + ".attention.value_length";
  SMELT_ASSIGN(const auto d_value, find_count(metadata, value_key, {1, kMaxHeadDim}));
  if (d_value.value_or(c.d_head) == c.d_head) return {};
  return bad_count(metadata, value_key, *d_value, fmt::format("wanted the key length {}", c.d_head));
}

void take_form(const DecoderForm& form, ModelConfig& c) {
  c.norm = form.norm;
  c.activation = form.activation;
  c.gated = form.gated;
  c.plain_norms = form.plain_norms;
  c.qk_norm = form.qk_norm;
  c.learned_positions = !form.rotates;
  c.rope_layout = RopeLayout::half_split;
}

float default_eps(const DecoderForm& form) { return form.norm == NormKind::rms ? 1e-6F : 1e-5F; }

Status read_gguf_positions(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  const std::string prefix = family.gguf_architecture;
  if (!family.form.rotates) return {};
  SMELT_TRY(read_rotated_dims(metadata, prefix + ".rope.dimension_count", c));
  SMELT_ASSIGN(const RopeConfig rope, parse_gguf_rope(checkpoint, prefix, c.n_rope));
  c.rope_layout = family.form.gguf_rope;
  SMELT_TRY(apply_rope(rope, c));
  SMELT_ASSIGN(const auto factors, find_rope_factors(checkpoint, c.n_rope));
  for (size_t i = 0; factors && i < c.inv_freq.size(); ++i) c.inv_freq[i] /= (*factors)[i];
  return {};
}

Result<ModelConfig> parse_gguf_config(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig c) {
  const Metadata& metadata = checkpoint.metadata();
  const std::string prefix = family.gguf_architecture;
  const Keys keys = gguf_keys(family);
  SMELT_ASSIGN(const auto name, metadata.find_string("general.name"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(metadata, keys, default_eps(family.form), c));
  SMELT_TRY(read_vocab_size(checkpoint, family, keys.n_vocab, c));
  SMELT_TRY(refuse_gguf_variants(metadata, prefix, c));
  if (family.form.gguf_window) {
    SMELT_ASSIGN(const auto window, find_count(metadata, prefix + ".attention.sliding_window", {0, kMaxContext}));
    c.window = window.value_or(0);
  }
  SMELT_TRY(read_gguf_positions(checkpoint, family, c));
  c.tied_head = checkpoint.find_tensor("output.weight") == nullptr;
  if (family.form.read_gguf != nullptr) SMELT_TRY(family.form.read_gguf(metadata, c));
  const std::string experts_key = prefix + ".expert_count";
  SMELT_ASSIGN(const auto n_experts, find_count(metadata, experts_key, {0, kMaxVocab}));
  if (n_experts.value_or(0) > 0 && c.n_experts == 0) {
    return bad_count(metadata, experts_key, *n_experts, "mixtures of experts are not supported in this family");
  }
  return c;
}

Status read_hf_activation(const Metadata& metadata, const DecoderForm& form) {
  static constexpr struct {
    const char* name;
    Activation activation;
  } kNames[] = {{"silu", Activation::silu},
                {"swish", Activation::silu},
                {"gelu_pytorch_tanh", Activation::gelu_tanh},
                {"gelu_new", Activation::gelu_tanh},
                {"gelu_fast", Activation::gelu_tanh},
                {"gelu", Activation::gelu_erf},
                {"relu2", Activation::relu_squared}};
  const char* key = form.hf.activation;
  SMELT_ASSIGN(const auto value, metadata.find_string(key));
  if (!value) return {};
  const char* only = nullptr;
  for (const auto& [name, activation] : kNames) {
    if (activation != form.activation) continue;
    if (*value == name) return {};
    if (only == nullptr) only = name;
  }
  return bad_value(metadata, key, fmt::format("'{}'", escape_for_display(*value)),
                   fmt::format("only '{}' is supported", only));
}

// Of a head's values the share that is rotated, counted as transformers does.
Status read_rotated_values(const Metadata& metadata, const DecoderForm& form, ModelConfig& c) {
  c.n_rope = c.d_head;
  SMELT_ASSIGN(const float share, read_rotated_share(metadata, form.hf.rotated_share));
  if (share == 1.0F) return {};
  if (form.hf.rotated_share == nullptr) {
    return bad_value(metadata, rotated_share_key(metadata, form.hf.rotated_share), fmt::format("{:g}", share),
                     "only 1 is supported");
  }
  c.n_rope = static_cast<int64_t>(static_cast<double>(c.d_head) * static_cast<double>(share) + 1e-6);
  if (c.n_rope >= 2 && c.n_rope % 2 == 0) return {};
  return bad_value(metadata, rotated_share_key(metadata, form.hf.rotated_share), fmt::format("{:g}", share),
                   fmt::format("which rotates {} of {} values; wanted an even number", c.n_rope, c.d_head));
}

Status read_hf_positions(const Metadata& metadata, const DecoderForm& form, ModelConfig& c) {
  if (!form.rotates) return {};
  SMELT_TRY(read_rotated_values(metadata, form, c));
  SMELT_ASSIGN(const RopeConfig rope, parse_hf_rope(metadata, form.hf));
  c.rope_layout = RopeLayout::half_split;
  return apply_rope(rope, c);
}

Result<ModelConfig> parse_hf_config(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig c) {
  const Metadata& metadata = checkpoint.metadata();
  const DecoderForm& form = family.form;
  const Keys keys = hf_keys(family);
  SMELT_ASSIGN(const auto name, metadata.find_string("_name_or_path"));
  c.name = name.value_or("");
  SMELT_TRY(read_sizes(metadata, keys, default_eps(form), c));
  SMELT_TRY(read_vocab_size(checkpoint, family, keys.n_vocab, c));
  SMELT_TRY(read_hf_activation(metadata, form));
  SMELT_TRY(refuse_foreign_weights(metadata));
  SMELT_ASSIGN(const auto tied, metadata.find_bool("tie_word_embeddings"));
  c.tied_head = tied.value_or(form.tied_default);
  SMELT_TRY(read_hf_positions(metadata, form, c));
  if (form.read_hf != nullptr) SMELT_TRY(form.read_hf(metadata, c));
  return c;
}

Result<ModelConfig> parse_dialect(const Checkpoint& checkpoint, const ModelFamily& family, ModelConfig c) {
  if (checkpoint.dialect() == Dialect::gguf) {
    c.architecture = family.gguf_architecture;
    return parse_gguf_config(checkpoint, family, std::move(c));
  }
  SMELT_ASSIGN(const std::vector<std::string>* names, checkpoint.metadata().find_strings("architectures"));
  c.architecture = names == nullptr || names->empty() ? "" : names->front();
  return parse_hf_config(checkpoint, family, std::move(c));
}

constexpr const char* kTokensKey = "tokenizer.ggml.tokens";

}  // namespace

// The embedding has the last word on the vocabulary's size; keys that say otherwise are wrong.
Status read_vocab_size(const Checkpoint& checkpoint, const ModelFamily& family, const std::string& key,
                       ModelConfig& c) {
  const Metadata& metadata = checkpoint.metadata();
  const TensorName* name = find_tensor_name(family, "token_embd.weight", Dialect::gguf);
  const TensorEntry* embedding = find_tensor(checkpoint, family, *name, -1);
  SMELT_ASSIGN(const auto stated, find_count(metadata, key, {1, kMaxVocab}));
  const int64_t rows = embedding == nullptr ? 0 : embedding->view.rows();
  if (stated && embedding != nullptr && *stated != rows) {
    return bad_count(metadata, key, *stated, fmt::format("but tensor '{}' has {} rows", embedding->name, rows));
  }
  SMELT_ASSIGN(const std::vector<std::string>* tokens, metadata.find_strings(kTokensKey));
  const auto n_tokens = static_cast<int64_t>(tokens == nullptr ? 0 : tokens->size());
  c.n_vocab = stated.value_or(rows > 0 ? rows : n_tokens);
  if (c.n_vocab < 1 || c.n_vocab > kMaxVocab) {
    return bad_count(metadata, key, c.n_vocab, fmt::format("allowed 1 … {}", kMaxVocab));
  }
  if (n_tokens == 0 || n_tokens == c.n_vocab) return {};
  return input_error(
      fmt::format("{} has {} tokens, but the model has {}", metadata.title(kTokensKey), n_tokens, c.n_vocab));
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

Result<ModelConfig> parse_decoder_config(const Checkpoint& checkpoint, const ModelFamily& family) {
  ModelConfig c;
  c.family = family.name;
  take_form(family.form, c);
  SMELT_ASSIGN(c, parse_dialect(checkpoint, family, std::move(c)));
  if (c.layers.empty()) c.layers.assign(static_cast<size_t>(c.n_layers), LayerConfig{.window = c.window});
  // The cache's room says which frequencies a sequence has, so it must not be a ring.
  if (!c.long_inv_freq.empty()) c.window = 0;
  return c;
}

Status refuse_windows(const Metadata& metadata) {
  SMELT_TRY(refuse_if_true(metadata, "use_sliding_window", "a sliding window"));
  SMELT_ASSIGN(const std::vector<std::string>* types, metadata.find_strings("layer_types"));
  if (types == nullptr) return {};
  for (const std::string& type : *types) {
    if (type == "full_attention") continue;
    return bad_value(metadata, "layer_types", fmt::format("'{}' for a layer", escape_for_display(type)),
                     "only 'full_attention' is supported");
  }
  return {};
}

std::string n_layers_key(const Checkpoint& checkpoint, const ModelFamily& family) {
  return checkpoint.dialect() == Dialect::gguf ? gguf_keys(family).n_layers : hf_keys(family).n_layers;
}

}  // namespace smelt
