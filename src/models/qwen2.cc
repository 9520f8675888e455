// The Qwen2 family (Yang et al., arXiv 2407.10671; Qwen2.5 has the same form): Llama's decoder with biases on queries,
// keys and values. Its GGUF files keep Hugging Face's row order, so both rotate the two halves of a head. Weights and
// forward: decoder.h.
#include <fmt/format.h>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/decoder.h"

namespace smelt {

extern const ModelFamily qwen2_family;

namespace {

constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.norm.weight"},
    {"output.weight", "lm_head.weight"},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
    {"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_gate.weight", "model.layers.{}.mlp.gate_proj.weight"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.up_proj.weight"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"},
};

// Published checkpoints give a window and switch it off; "layer_types" says the same layer by layer since
// transformers 5.
Status refuse_windows(const Metadata& metadata, ModelConfig& /*config*/) {
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

Result<ModelConfig> parse_config(const Checkpoint& checkpoint) {
  return parse_decoder_config(
      checkpoint,
      {.name = "qwen2", .gguf_rope = RopeLayout::half_split, .gguf_window = false, .read_hf_variant = refuse_windows});
}

Result<std::shared_ptr<const Model>> load(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                          Compute compute) {
  return load_decoder(std::move(checkpoint), std::move(config), compute, qwen2_family);
}

constexpr const char* kHfArchitectures[] = {"Qwen2ForCausalLM"};

}  // namespace

extern const ModelFamily qwen2_family = {.name = "qwen2",
                                         .gguf_architecture = "qwen2",
                                         .hf_architectures = kHfArchitectures,
                                         .hf_model_type = "qwen2",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_config,
                                         .load = load,
                                         .biases = Biases::qkv};

}  // namespace smelt
