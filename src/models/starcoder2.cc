// The StarCoder2 family (Lozhkov et al., arXiv 2402.19173): grouped-query attention with layer norms, biases everywhere
// and a plain feed-forward with GELU; the published models have a sliding window.
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily starcoder2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Starcoder2ForCausalLM"};
constexpr TensorName kOwn[] = {{"blk.{}.ffn_up.weight", "model.layers.{}.mlp.c_fc.weight"},
                               {"blk.{}.ffn_down.weight", "model.layers.{}.mlp.c_proj.weight"},
                               optional_tensor({"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"}),
                               optional_tensor({"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"}),
                               optional_tensor({"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"}),
                               optional_tensor({"blk.{}.attn_output.bias", "model.layers.{}.self_attn.o_proj.bias"}),
                               optional_tensor({"blk.{}.ffn_up.bias", "model.layers.{}.mlp.c_fc.bias"}),
                               optional_tensor({"blk.{}.ffn_down.bias", "model.layers.{}.mlp.c_proj.bias"})};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kPreNormBiases, kAttention, kOwn);

}  // namespace

extern const ModelFamily starcoder2_family = {
    .name = "starcoder2",
    .gguf_architecture = "starcoder2",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "starcoder2",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.norm = NormKind::layer,
             .activation = Activation::gelu_tanh,
             .gated = false,
             .gguf_window = true,
             .tied_default = true,
             .hf = {.eps = "norm_epsilon", .qkv_bias = "use_bias", .output_bias = "use_bias", .mlp_bias = "use_bias"},
             .read_hf = read_window,
             .add_hf = add_window}};

}  // namespace smelt
