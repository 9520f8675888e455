// What a model family tells the rest of models/: its names, how to read its configuration, how to load it. One constant
// of this type in each family's file; the list is families.inc.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "formats/checkpoint.h"
#include "models/model.h"
#include "models/model_config.h"

namespace smelt {

// How Hugging Face's row order differs from GGUF's.
enum class RowOrder : uint8_t {
  same,
  query_heads,  // rows of each head stored for half-split RoPE there, for interleaved RoPE in GGUF
  key_heads,    // the same, for the key/value heads
};

// A tensor in both dialects; "{}" stands for the layer number.
struct TensorName {
  const char* gguf;
  const char* hugging_face;
  RowOrder order = RowOrder::same;
};

// Which linear layers have a bias.
enum class Biases : uint8_t {
  as_configured,  // Hugging Face: "attention_bias" and "mlp_bias" of config.json; GGUF: those that are there
  qkv,            // queries, keys and values, always; no others
};

struct ModelFamily {
  const char* name;
  const char* gguf_architecture;                  // general.architecture
  std::span<const char* const> hf_architectures;  // config.json "architectures"; the first is what we write
  const char* hf_model_type;                      // config.json "model_type" of the first
  std::span<const TensorName> tensors;
  Result<ModelConfig> (*parse_config)(const Checkpoint& checkpoint);
  Result<std::shared_ptr<const Model>> (*load)(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                               Compute compute);
  Biases biases = Biases::as_configured;
};

std::span<const ModelFamily* const> all_families();
// The family of a checkpoint; an unknown architecture is refused by name with the list of those known.
Result<const ModelFamily*> find_family(const Checkpoint& checkpoint);

// The file that holds the configuration, for messages: the checkpoint's own, or config.json in its folder.
std::string config_file(const Checkpoint& checkpoint);

// The name of a tensor of layer `layer` ("{}" replaced).
std::string layer_name(std::string_view pattern, int64_t layer);
// Splits "blk.12.attn_q.weight" into the pattern "blk.{}.attn_q.weight" and 12; names without a number give layer -1.
struct NamePattern {
  std::string pattern;
  int64_t layer = -1;
};
NamePattern parse_name(std::string_view name);
// The table's row for a tensor pattern of this dialect, or null.
const TensorName* find_tensor_name(const ModelFamily& family, std::string_view pattern, Dialect dialect);

}  // namespace smelt
