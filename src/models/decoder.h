// What the decoder families share: the reading of configurations (decoder_config.cc) and layers that follow them
// (layers/decoder.cc). A family's file has its table of tensors and says in what it differs from Llama (DecoderForm).
#pragma once

#include <memory>
#include <string>

#include "models/family.h"

namespace smelt {

Result<ModelConfig> parse_decoder_config(const Checkpoint& checkpoint, const ModelFamily& family);
// config.n_vocab, from the embedding, `key` or the vocabulary; those that contradict each other are refused.
Status read_vocab_size(const Checkpoint& checkpoint, const ModelFamily& family, const std::string& key,
                       ModelConfig& config);
// config.json of weights quantized by other tools.
Status refuse_foreign_weights(const Metadata& metadata);
// The key that gives the number of layers, for messages.
std::string n_layers_key(const Checkpoint& checkpoint, const ModelFamily& family);

Result<std::shared_ptr<const Model>> load_decoder(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                                  Compute compute, const ModelFamily& family);

// Published checkpoints give a window and switch it off; "layer_types" says the same layer by layer since
// transformers 5.
Status refuse_windows(const Metadata& metadata);
// config.json's "sliding_window" of all layers alike, which may be missing; and back.
Status read_window(const Metadata& metadata, ModelConfig& config);
void add_window(const ModelConfig& config, Metadata& metadata);
// The kind of each layer from config.json's "layer_types" ("full_attention", "sliding_attention"), or, where that is
// missing, every `pattern`-th layer full; those that slide get `window`.
Status read_layer_types(const Metadata& metadata, int64_t window, int64_t pattern, ModelConfig& config);
// The same from GGUF's PREFIX.attention.sliding_window_pattern: a number, or one flag a layer.
Status read_window_pattern(const Metadata& metadata, int64_t window, int64_t pattern, ModelConfig& config);
// Writes the window, and the flags where they are not those of `pattern`.
void add_window_pattern(const ModelConfig& config, int64_t pattern, const std::string& prefix, Metadata& metadata);
// "layer_types" and "sliding_window".
void add_layer_types(const ModelConfig& config, Metadata& metadata);
// Where config.json and GGUF (after PREFIX.) say how many experts there are.
struct ExpertKeys {
  std::string n_experts, n_used, d_ff_expert, d_ff_shared;  // empty: none such
};
Status read_experts(const Metadata& metadata, const ExpertKeys& keys, ModelConfig& config);
// config.json's "mlp_only_layers" and "decoder_sparse_step": layers without experts among others, which GGUF does not
// know.
Status refuse_dense_layers(const Metadata& metadata);
ExpertKeys gguf_expert_keys(const std::string& prefix);
void add_gguf_experts(const ModelConfig& config, const std::string& prefix, Metadata& metadata);

}  // namespace smelt
