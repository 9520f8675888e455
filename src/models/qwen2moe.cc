// Mixtures of the Qwen2 family (Yang et al., arXiv 2407.10671; Qwen1.5-MoE has the same form): many small experts and
// one that all tokens share, with a gate of its own.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily qwen2moe_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Qwen2MoeForCausalLM"};
constexpr TensorName kExperts[] = {
    {"blk.{}.ffn_gate_inp.weight", "model.layers.{}.mlp.gate.weight"},
    {"blk.{}.ffn_gate_exps.weight", "model.layers.{}.mlp.experts.[].gate_proj.weight"},
    {"blk.{}.ffn_up_exps.weight", "model.layers.{}.mlp.experts.[].up_proj.weight"},
    {"blk.{}.ffn_down_exps.weight", "model.layers.{}.mlp.experts.[].down_proj.weight"},
    {"blk.{}.ffn_gate_inp_shexp.weight", "model.layers.{}.mlp.shared_expert_gate.weight", RowOrder::same,
     ValueForm::row},
    {"blk.{}.ffn_gate_shexp.weight", "model.layers.{}.mlp.shared_expert.gate_proj.weight"},
    {"blk.{}.ffn_up_shexp.weight", "model.layers.{}.mlp.shared_expert.up_proj.weight"},
    {"blk.{}.ffn_down_shexp.weight", "model.layers.{}.mlp.shared_expert.down_proj.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kAttention, kQkvBiases, kExperts);

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_windows(metadata));
  SMELT_TRY(refuse_dense_layers(metadata));
  SMELT_ASSIGN(const auto norm, metadata.find_bool("norm_topk_prob"));
  c.norm_expert_weights = false;
  if (norm.value_or(false) != false) {
    return bad_value(metadata, "norm_topk_prob", "true", "only false is supported in this family");
  }
  return read_experts(
      metadata, {"num_experts", "num_experts_per_tok", "moe_intermediate_size", "shared_expert_intermediate_size"}, c);
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  c.norm_expert_weights = false;
  const ExpertKeys keys = gguf_expert_keys("qwen2moe.");
  return read_experts(metadata, keys, c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  metadata.set("num_experts", MetaValue::of_i64(c.n_experts));
  metadata.set("num_experts_per_tok", MetaValue::of_i64(c.n_experts_used));
  metadata.set("moe_intermediate_size", MetaValue::of_i64(c.d_ff_expert));
  metadata.set("shared_expert_intermediate_size", MetaValue::of_i64(c.d_ff_shared));
  metadata.set("norm_topk_prob", MetaValue::of_bool(false));
}

}  // namespace

extern const ModelFamily qwen2moe_family = {
    .name = "qwen2moe",
    .gguf_architecture = "qwen2moe",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "qwen2_moe",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.read_gguf = read_gguf, .read_hf = read_hf, .add_gguf = add_gguf_experts, .add_hf = add_hf}};

}  // namespace smelt
