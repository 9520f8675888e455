// The GPT-NeoX family (Black et al., arXiv 2204.06745; Pythia, Biderman et al., arXiv 2304.01373): layer norms, one
// matrix for queries, keys and values, biases everywhere, a plain feed-forward with GELU beside the attention.
#include "models/decoder.h"

namespace smelt {

extern const ModelFamily gptneox_family;

namespace {

constexpr const char* kHfArchitectures[] = {"GPTNeoXForCausalLM"};
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "gpt_neox.embed_in.weight"},
    {"output_norm.weight", "gpt_neox.final_layer_norm.weight"},
    {"output_norm.bias", "gpt_neox.final_layer_norm.bias"},
    {"output.weight", "embed_out.weight"},
    {"blk.{}.attn_norm.weight", "gpt_neox.layers.{}.input_layernorm.weight"},
    {"blk.{}.attn_norm.bias", "gpt_neox.layers.{}.input_layernorm.bias"},
    {"blk.{}.attn_qkv.weight", "gpt_neox.layers.{}.attention.query_key_value.weight", RowOrder::fused_heads},
    {"blk.{}.attn_qkv.bias", "gpt_neox.layers.{}.attention.query_key_value.bias", RowOrder::fused_heads},
    {"blk.{}.attn_output.weight", "gpt_neox.layers.{}.attention.dense.weight"},
    {"blk.{}.attn_output.bias", "gpt_neox.layers.{}.attention.dense.bias"},
    {"blk.{}.ffn_norm.weight", "gpt_neox.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.ffn_norm.bias", "gpt_neox.layers.{}.post_attention_layernorm.bias"},
    {"blk.{}.ffn_up.weight", "gpt_neox.layers.{}.mlp.dense_h_to_4h.weight"},
    {"blk.{}.ffn_up.bias", "gpt_neox.layers.{}.mlp.dense_h_to_4h.bias"},
    {"blk.{}.ffn_down.weight", "gpt_neox.layers.{}.mlp.dense_4h_to_h.weight"},
    {"blk.{}.ffn_down.bias", "gpt_neox.layers.{}.mlp.dense_4h_to_h.bias"}};

Status read_parallel(const Metadata& metadata, const std::string& key, ModelConfig& c) {
  SMELT_ASSIGN(const auto parallel, metadata.find_bool(key));
  c.parallel_residual = parallel.value_or(true);
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) { return read_parallel(metadata, "use_parallel_residual", c); }

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  return read_parallel(metadata, "gptneox.use_parallel_residual", c);
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  metadata.set(prefix + "use_parallel_residual", MetaValue::of_bool(c.parallel_residual));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  metadata.set("use_parallel_residual", MetaValue::of_bool(c.parallel_residual));
}

}  // namespace

extern const ModelFamily gptneox_family = {.name = "gptneox",
                                           .gguf_architecture = "gptneox",
                                           .hf_architectures = kHfArchitectures,
                                           .hf_model_type = "gpt_neox",
                                           .tensors = kTensorNames,
                                           .parse_config = parse_decoder_config,
                                           .load = load_decoder,
                                           .form = {.norm = NormKind::layer,
                                                    .activation = Activation::gelu_erf,
                                                    .gated = false,
                                                    .hf = {.n_kv_heads = nullptr,
                                                           .d_head = nullptr,
                                                           .eps = "layer_norm_eps",
                                                           .rotated_share = "rotary_pct",
                                                           .rope_base = "rotary_emb_base"},
                                                    .read_gguf = read_gguf,
                                                    .read_hf = read_hf,
                                                    .add_gguf = add_gguf,
                                                    .add_hf = add_hf}};

}  // namespace smelt
