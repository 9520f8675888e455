// The Mixtral family (Jiang et al., arXiv 2401.04088): Mistral's decoder with a mixture of experts for a feed-forward.
// GGUF calls it "llama", with experts.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily mixtral_family;

namespace {

constexpr const char* kHfArchitectures[] = {"MixtralForCausalLM"};
constexpr TensorName kExperts[] = {
    {"blk.{}.ffn_gate_inp.weight", "model.layers.{}.block_sparse_moe.gate.weight"},
    {"blk.{}.ffn_gate_exps.weight", "model.layers.{}.block_sparse_moe.experts.[].w1.weight"},
    {"blk.{}.ffn_down_exps.weight", "model.layers.{}.block_sparse_moe.experts.[].w2.weight"},
    {"blk.{}.ffn_up_exps.weight", "model.layers.{}.block_sparse_moe.experts.[].w3.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kReorderedAttention, kExperts);

bool has_experts(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() != Dialect::gguf) return true;
  const Metadata& metadata = checkpoint.metadata();
  const auto n = metadata.find_uint("llama.expert_count");
  return n && n->value_or(0) > 0;
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_window(metadata, c));
  return read_experts(metadata, {"num_local_experts", "num_experts_per_tok", "", ""}, c);
}

// Its experts' width is that of the layers.
Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  return read_experts(metadata, {"llama.expert_count", "llama.expert_used_count", "", ""}, c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_window(c, metadata);
  metadata.set("num_local_experts", MetaValue::of_i64(c.n_experts));
  metadata.set("num_experts_per_tok", MetaValue::of_i64(c.n_experts_used));
}

}  // namespace

extern const ModelFamily mixtral_family = {.name = "mixtral",
                                           .gguf_architecture = "llama",
                                           .hf_architectures = kHfArchitectures,
                                           .hf_model_type = "mixtral",
                                           .tensors = kTensorNames,
                                           .parse_config = parse_decoder_config,
                                           .load = load_decoder,
                                           .form = {.gguf_rope = RopeLayout::interleaved,
                                                    .gguf_window = true,
                                                    .read_gguf = read_gguf,
                                                    .read_hf = read_hf,
                                                    .add_gguf = add_gguf_experts,
                                                    .add_hf = add_hf},
                                           .claims = has_experts};

}  // namespace smelt
