// What the families of Llama's form share: pre-norm decoder layers of grouped-query attention with rotary positions and
// a SwiGLU feed-forward. Each family's file says in what it differs; configurations are read by decoder_config.cc,
// weights and the forward pass are in llama.cc.
#pragma once

#include <memory>
#include <string>

#include "models/family.h"

namespace smelt {

struct DecoderVariant {
  const char* name;      // the family, and the prefix of its GGUF keys
  RopeLayout gguf_rope;  // Hugging Face's is always half_split
  bool gguf_window;      // whether attention.sliding_window is honoured
  // What only this family's config.json can have: read, or refused.
  Status (*read_hf_variant)(const Metadata& metadata, ModelConfig& config);
};

Result<ModelConfig> parse_decoder_config(const Checkpoint& checkpoint, const DecoderVariant& variant);
// The key that gives the number of layers, for messages.
std::string n_layers_key(const Checkpoint& checkpoint, const ModelFamily& family);

Result<std::shared_ptr<const Model>> load_decoder(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                                  Compute compute, const ModelFamily& family);

}  // namespace smelt
