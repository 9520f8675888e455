// The Phi-3 family (Abdin et al., arXiv 2404.14219; Phi-3.5 and Phi-4-mini have the same form): Llama's decoder with
// one matrix for queries, keys and values and one for gate and up, LongRoPE in the variants for long contexts.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily phi3_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Phi3ForCausalLM"};
constexpr TensorName kFused[] = {{"blk.{}.attn_qkv.weight", "model.layers.{}.self_attn.qkv_proj.weight"},
                                 {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.o_proj.weight"},
                                 {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.gate_up_proj.weight"},
                                 {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.down_proj.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kFused);

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  return read_window(metadata, c);
}

}  // namespace

extern const ModelFamily phi3_family = {.name = "phi3",
                                        .gguf_architecture = "phi3",
                                        .hf_architectures = kHfArchitectures,
                                        .hf_model_type = "phi3",
                                        .tensors = kTensorNames,
                                        .parse_config = parse_decoder_config,
                                        .load = load_decoder,
                                        .form = {.gguf_window = true,
                                                 .hf = {.rotated_share = "partial_rotary_factor"},
                                                 .read_hf = read_hf,
                                                 .add_hf = add_window}};

}  // namespace smelt
