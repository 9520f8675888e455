// The GPT-2 family (Radford et al., 2019): learned positions, layer norms, one matrix for queries, keys and values,
// biases everywhere, a plain feed-forward with GELU. Hugging Face keeps its matrices {inputs, outputs}.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily gpt2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"GPT2LMHeadModel"};
constexpr TensorName kTensorNames[] = {{"token_embd.weight", "transformer.wte.weight"},
                                       {"position_embd.weight", "transformer.wpe.weight"},
                                       {"output_norm.weight", "transformer.ln_f.weight"},
                                       {"output_norm.bias", "transformer.ln_f.bias"},
                                       {"output.weight", "lm_head.weight"},
                                       {"blk.{}.attn_norm.weight", "transformer.h.{}.ln_1.weight"},
                                       {"blk.{}.attn_norm.bias", "transformer.h.{}.ln_1.bias"},
                                       transposed({"blk.{}.attn_qkv.weight", "transformer.h.{}.attn.c_attn.weight"}),
                                       {"blk.{}.attn_qkv.bias", "transformer.h.{}.attn.c_attn.bias"},
                                       transposed({"blk.{}.attn_output.weight", "transformer.h.{}.attn.c_proj.weight"}),
                                       {"blk.{}.attn_output.bias", "transformer.h.{}.attn.c_proj.bias"},
                                       {"blk.{}.ffn_norm.weight", "transformer.h.{}.ln_2.weight"},
                                       {"blk.{}.ffn_norm.bias", "transformer.h.{}.ln_2.bias"},
                                       transposed({"blk.{}.ffn_up.weight", "transformer.h.{}.mlp.c_fc.weight"}),
                                       {"blk.{}.ffn_up.bias", "transformer.h.{}.mlp.c_fc.bias"},
                                       transposed({"blk.{}.ffn_down.weight", "transformer.h.{}.mlp.c_proj.weight"}),
                                       {"blk.{}.ffn_down.bias", "transformer.h.{}.mlp.c_proj.bias"}};

Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) {
  SMELT_TRY(refuse_if_true(metadata, "scale_attn_by_inverse_layer_idx", "attention scaled layer by layer"));
  SMELT_ASSIGN(const auto scales, metadata.find_bool("scale_attn_weights"));
  if (scales.value_or(true)) return {};
  return bad_value(metadata, "scale_attn_weights", "false", "only true is supported");
}

}  // namespace

extern const ModelFamily gpt2_family = {.name = "gpt2",
                                        .gguf_architecture = "gpt2",
                                        .hf_architectures = kHfArchitectures,
                                        .hf_model_type = "gpt2",
                                        .tensors = kTensorNames,
                                        .parse_config = parse_decoder_config,
                                        .load = load_decoder,
                                        .form = {.rotates = false,
                                                 .norm = NormKind::layer,
                                                 .activation = Activation::gelu_tanh,
                                                 .gated = false,
                                                 .tied_default = true,
                                                 .hf = {.n_layers = "n_layer",
                                                        .d_model = "n_embd",
                                                        .d_ff = "n_inner",
                                                        .n_heads = "n_head",
                                                        .n_kv_heads = nullptr,
                                                        .d_head = nullptr,
                                                        .n_ctx = "n_positions",
                                                        .eps = "layer_norm_epsilon",
                                                        .activation = "activation_function"},
                                                 .read_hf = read_hf},
                                        .hf_prefix = "transformer."};

}  // namespace smelt
