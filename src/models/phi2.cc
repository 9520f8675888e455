// The Phi-2 family (Microsoft, 2023; Phi-1 and Phi-1.5 have the same form): layer norms, biases everywhere, rotation of
// a part of each head, a plain feed-forward with GELU that reads the same norm as the attention beside it.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily phi2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"PhiForCausalLM"};
// GGUF files of early converters keep queries, keys and values in one matrix.
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "model.embed_tokens.weight"},
    {"output_norm.weight", "model.final_layernorm.weight"},
    {"output_norm.bias", "model.final_layernorm.bias"},
    {"output.weight", "lm_head.weight"},
    {"output.bias", "lm_head.bias"},
    {"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_norm.bias", "model.layers.{}.input_layernorm.bias"},
    optional_tensor({"blk.{}.attn_qkv.weight", "model.layers.{}.self_attn.query_key_value.weight"}),
    {"blk.{}.attn_qkv.bias", "model.layers.{}.self_attn.query_key_value.bias"},
    {"blk.{}.attn_q.weight", "model.layers.{}.self_attn.q_proj.weight"},
    {"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"},
    {"blk.{}.attn_k.weight", "model.layers.{}.self_attn.k_proj.weight"},
    {"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"},
    {"blk.{}.attn_v.weight", "model.layers.{}.self_attn.v_proj.weight"},
    {"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"},
    {"blk.{}.attn_output.weight", "model.layers.{}.self_attn.dense.weight"},
    {"blk.{}.attn_output.bias", "model.layers.{}.self_attn.dense.bias"},
    {"blk.{}.ffn_up.weight", "model.layers.{}.mlp.fc1.weight"},
    {"blk.{}.ffn_up.bias", "model.layers.{}.mlp.fc1.bias"},
    {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.fc2.weight"},
    {"blk.{}.ffn_down.bias", "model.layers.{}.mlp.fc2.bias"}};

Status set_parallel(const Metadata& /*metadata*/, ModelConfig& c) {
  c.parallel_residual = true;
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "qk_layernorm", "a norm of queries and keys in this family"));
  return set_parallel(metadata, c);
}

}  // namespace

extern const ModelFamily phi2_family = {
    .name = "phi2",
    .gguf_architecture = "phi2",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "phi",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.norm = NormKind::layer,
             .activation = Activation::gelu_tanh,
             .gated = false,
             .hf = {.eps = "layer_norm_eps", .rotated_share = "partial_rotary_factor"},
             .read_gguf = set_parallel,
             .read_hf = read_hf}};

}  // namespace smelt
