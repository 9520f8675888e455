// What the families of encoders share: the reading of configurations (encoder_config.cc) and layers that follow them
// (layers/encoder.cc). A family's file has its table of tensors and says in what it differs from BERT.
#pragma once

#include <memory>
#include <string>

#include "models/family.h"

namespace smelt {

Result<std::shared_ptr<const Encoder>> load_layered_encoder(std::shared_ptr<const Checkpoint> checkpoint,
                                                            ModelConfig config, Compute compute,
                                                            const ModelFamily& family);

// config.json: the head by the architecture's name, its labels by "id2label" (or "num_labels"), what its logits mean by
// "problem_type"; and back. Decoders of the same form ("is_decoder") are refused.
Status read_hf_encoder(const Metadata& metadata, ModelConfig& config);
void add_hf_encoder(const ModelConfig& config, Metadata& metadata);
// GGUF: PREFIX.classifier.output_labels and smelt's own keys; and back, with what says that tokens see later ones.
Status read_gguf_encoder(const Metadata& metadata, ModelConfig& config);
void add_gguf_encoder(const ModelConfig& config, const std::string& prefix, Metadata& metadata);
// tokenizer.ggml.token_type_count and "type_vocab_size".
Status read_token_types(const Metadata& metadata, const std::string& key, ModelConfig& config);

// smelt's own key that tells apart families that share an architecture in GGUF.
inline constexpr const char* kFamilyKey = "smelt.family";
bool names_family(const Metadata& metadata, const char* name);

}  // namespace smelt
