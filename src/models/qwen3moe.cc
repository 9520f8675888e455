// Mixtures of the Qwen3 family (Yang et al., arXiv 2505.09388): many small experts, none shared.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily qwen3moe_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Qwen3MoeForCausalLM"};
constexpr TensorName kExperts[] = {{"blk.{}.ffn_gate_inp.weight", "model.layers.{}.mlp.gate.weight"},
                                   {"blk.{}.ffn_gate_exps.weight", "model.layers.{}.mlp.experts.[].gate_proj.weight"},
                                   {"blk.{}.ffn_up_exps.weight", "model.layers.{}.mlp.experts.[].up_proj.weight"},
                                   {"blk.{}.ffn_down_exps.weight", "model.layers.{}.mlp.experts.[].down_proj.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kAttention, kQkNorms, kExperts);

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_windows(metadata));
  SMELT_TRY(refuse_dense_layers(metadata));
  SMELT_ASSIGN(const auto norm, metadata.find_bool("norm_topk_prob"));
  c.norm_expert_weights = true;
  if (norm.value_or(true) != true) {
    return bad_value(metadata, "norm_topk_prob", "false", "only true is supported in this family");
  }
  // transformers 5 has a new name for it.
  const char* key = metadata.contains("num_local_experts") ? "num_local_experts" : "num_experts";
  return read_experts(metadata, {key, "num_experts_per_tok", "moe_intermediate_size", ""}, c);
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  c.norm_expert_weights = true;
  ExpertKeys keys = gguf_expert_keys("qwen3moe.");
  keys.d_ff_shared.clear();
  return read_experts(metadata, keys, c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  metadata.set("num_experts", MetaValue::of_i64(c.n_experts));
  metadata.set("num_experts_per_tok", MetaValue::of_i64(c.n_experts_used));
  metadata.set("moe_intermediate_size", MetaValue::of_i64(c.d_ff_expert));
  metadata.set("norm_topk_prob", MetaValue::of_bool(true));
}

}  // namespace

extern const ModelFamily qwen3moe_family = {
    .name = "qwen3moe",
    .gguf_architecture = "qwen3moe",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "qwen3_moe",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.read_gguf = read_gguf, .read_hf = read_hf, .add_gguf = add_gguf_experts, .add_hf = add_hf}};

}  // namespace smelt
