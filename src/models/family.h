// What a model family tells the rest of models/: its names, how to read its configuration, how to load it. One constant
// of this type in each family's file; the list is families.inc.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/checkpoint.h"
#include "models/encoder.h"
#include "models/model.h"
#include "models/model_config.h"

namespace smelt {

// How Hugging Face's row order differs from GGUF's.
enum class RowOrder : uint8_t {
  same,
  query_heads,  // rows of each head stored for half-split RoPE there, for interleaved RoPE in GGUF
  key_heads,    // the same, for the key/value heads
  fused_heads,  // query, key and value of a head side by side there; all queries, all keys, all values in GGUF
};

// How Hugging Face's values differ from GGUF's.
enum class ValueForm : uint8_t {
  same,
  plus_one,    // there the weight of a norm less one
  transposed,  // there {inputs, outputs}
  row,         // a vector, there a matrix of one row
  positions,   // there with EncoderConfig::n_skipped_positions more rows in front, which no token takes
  // Of state-space layers, always F32 in GGUF:
  column,   // {n, 1}, there a vector
  log_a,    // {n, 1}: -exp of the vector there
  grouped,  // {groups, n / groups}, there a vector
  filters,  // {channels, taps}, there {channels, 1, taps}
};

enum class Presence : uint8_t { required, optional };

// A tensor in both dialects; "{}" stands for the layer number, "[]" in Hugging Face's name for that of an expert: GGUF
// keeps those of all experts in one tensor.
struct TensorName {
  const char* gguf;
  const char* hugging_face;
  RowOrder order = RowOrder::same;
  ValueForm form = ValueForm::same;
  Presence presence = Presence::required;
};
constexpr TensorName optional_tensor(TensorName name) {
  name.presence = Presence::optional;
  return name;
}
constexpr TensorName plus_one(TensorName name) {
  name.form = ValueForm::plus_one;
  return name;
}
constexpr TensorName in_form(ValueForm form, TensorName name) {
  name.form = form;
  return name;
}
constexpr TensorName transposed(TensorName name) {
  name.form = ValueForm::transposed;
  return name;
}

// Fields of config.json that families name differently.
struct HfKeys {
  const char* n_layers = "num_hidden_layers";
  const char* d_model = "hidden_size";
  const char* d_ff = "intermediate_size";
  const char* n_heads = "num_attention_heads";
  const char* n_kv_heads = "num_key_value_heads";  // null: as many as heads
  const char* d_head = "head_dim";                 // null: d_model / n_heads
  const char* n_ctx = "max_position_embeddings";
  const char* eps = "rms_norm_eps";  // null: 1e-5
  const char* activation = "hidden_act";
  const char* rotated_share = nullptr;  // of a head; null: all of it
  const char* rope_base = "rope_theta";
  const char* rope_section = "";  // of rope_parameters, with a dot: "full_attention."
  // True: these linear layers have biases (optional in the table of tensors). Null: the table alone says so.
  const char* qkv_bias = nullptr;
  const char* output_bias = nullptr;
  const char* mlp_bias = nullptr;
};

// In what all decoders of a family differ from Llama's.
struct DecoderForm {
  RopeLayout gguf_rope = RopeLayout::half_split;  // Hugging Face's is always half_split
  bool rotates = true;
  NormKind norm = NormKind::rms;
  Activation activation = Activation::silu;
  bool gated = true;
  bool plain_norms = false;
  QkNorm qk_norm = QkNorm::heads;
  bool gguf_window = false;   // whether attention.sliding_window is honoured
  bool tied_default = false;  // where config.json does not say
  HfKeys hf = {};
  // Settings beyond Llama's: read, or refused. null: there are none.
  Status (*read_gguf)(const Metadata& metadata, ModelConfig& config) = nullptr;
  Status (*read_hf)(const Metadata& metadata, ModelConfig& config) = nullptr;
  // The same written; `prefix` is "FAMILY.".
  void (*add_gguf)(const ModelConfig& config, const std::string& prefix, Metadata& metadata) = nullptr;
  void (*add_hf)(const ModelConfig& config, Metadata& metadata) = nullptr;
};

// Another spelling of Hugging Face's names: where `name` stands in one, checkpoints may have `other`.
struct NameAlias {
  const char *name, *other;
};

struct ModelFamily {
  const char* name;
  const char* gguf_architecture;                  // general.architecture, and the prefix of its keys
  std::span<const char* const> hf_architectures;  // config.json "architectures"; the first is what we write
  const char* hf_model_type;                      // config.json "model_type" of the first
  std::span<const TensorName> tensors;
  Result<ModelConfig> (*parse_config)(const Checkpoint& checkpoint, const ModelFamily& family);
  Result<std::shared_ptr<const Model>> (*load)(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                               Compute compute, const ModelFamily& family);
  DecoderForm form;
  // Of families that share an architecture: whether this is one. null: yes.
  bool (*claims)(const Checkpoint& checkpoint) = nullptr;
  const char* hf_prefix = "";  // of Hugging Face's names; not all checkpoints have it
  std::span<const NameAlias> aliases = {};
  // Encoders, whose `load` is null.
  Result<std::shared_ptr<const Encoder>> (*load_encoder)(std::shared_ptr<const Checkpoint> checkpoint,
                                                         ModelConfig config, Compute compute,
                                                         const ModelFamily& family) = nullptr;
};

std::span<const ModelFamily* const> all_families();
// The family of a checkpoint; an unknown architecture is refused by name with the list of those known.
Result<const ModelFamily*> find_family(const Checkpoint& checkpoint);

// The file that holds the configuration, for messages: the checkpoint's own, or config.json in its folder.
std::string config_file(const Checkpoint& checkpoint);

// The name of a tensor of layer `layer` ("{}" replaced), and of an expert ("[]" replaced).
std::string layer_name(std::string_view pattern, int64_t layer, int64_t expert = -1);
// Splits "blk.12.attn_q.weight" into the pattern "blk.{}.attn_q.weight" and 12; names without a number give layer -1.
// A second number is that of an expert.
struct NamePattern {
  std::string pattern;
  int64_t layer = -1;
};
NamePattern parse_name(std::string_view name);
// What Hugging Face calls a model of this configuration: the name of hf_architectures that ends as its head asks.
const char* hf_architecture(const ModelFamily& family, const ModelConfig& config);
// Hugging Face's name of a tensor as that model has it.
std::string hf_tensor_name(const ModelFamily& family, const ModelConfig& config, std::string_view name);
// The tensor of a checkpoint that a table's row with {} replaced by `layer` stands for, or null.
const TensorEntry* find_tensor(const Checkpoint& checkpoint, const ModelFamily& family, const TensorName& name,
                               int64_t layer, int64_t expert = -1);
// The shape of n values in this form.
Shape form_shape(ValueForm form, Dialect dialect, int64_t n, const ModelConfig& config);
// Whether Hugging Face has a tensor for each expert.
bool is_per_expert(const TensorName& name);
// The table's row for a tensor pattern of this dialect, or null.
const TensorName* find_tensor_name(const ModelFamily& family, std::string_view pattern, Dialect dialect);

}  // namespace smelt
