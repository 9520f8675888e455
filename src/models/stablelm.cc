// The StableLM family (Bellagente et al., arXiv 2402.17834: StableLM 2 1.6B, StableLM 3B and Zephyr 3B): Llama's
// decoder with layer norms and rotation of a part of each head.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily stablelm_family;

namespace {

constexpr const char* kHfArchitectures[] = {"StableLmForCausalLM"};
constexpr TensorName kOptionalBiases[] = {
    optional_tensor({"blk.{}.attn_q.bias", "model.layers.{}.self_attn.q_proj.bias"}),
    optional_tensor({"blk.{}.attn_k.bias", "model.layers.{}.self_attn.k_proj.bias"}),
    optional_tensor({"blk.{}.attn_v.bias", "model.layers.{}.self_attn.v_proj.bias"})};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kPreNormBiases, kAttention, kOptionalBiases, kGatedMlp);

// Those of the 12B model.
Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) {
  SMELT_TRY(refuse_if_true(metadata, "use_parallel_residual", "a parallel residual in this family"));
  return refuse_if_true(metadata, "qk_layernorm", "a norm of each head of its own");
}

Status read_gguf(const Metadata& metadata, ModelConfig& /*config*/) {
  return refuse_if_true(metadata, "stablelm.use_parallel_residual", "a parallel residual in this family");
}

}  // namespace

extern const ModelFamily stablelm_family = {
    .name = "stablelm",
    .gguf_architecture = "stablelm",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "stablelm",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.norm = NormKind::layer,
             .hf = {.eps = "layer_norm_eps", .rotated_share = "partial_rotary_factor", .qkv_bias = "use_qkv_bias"},
             .read_gguf = read_gguf,
             .read_hf = read_hf}};

}  // namespace smelt
