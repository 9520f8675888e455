// The OLMo 2 family (OLMo Team, arXiv 2501.00656): Llama's decoder with norms after each half of a layer in place of
// those before it, and a norm over whole rows of queries and keys.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily olmo2_family;

namespace {

constexpr const char* kHfArchitectures[] = {"Olmo2ForCausalLM"};
constexpr TensorName kPostNorms[] = {
    {"blk.{}.post_attention_norm.weight", "model.layers.{}.post_attention_layernorm.weight"},
    {"blk.{}.post_ffw_norm.weight", "model.layers.{}.post_feedforward_layernorm.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kAttention, kQkNorms, kGatedMlp, kPostNorms);

Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) {
  return refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family");
}

// OLMo 3 has the same architecture in GGUF, and windows.
Status read_gguf(const Metadata& metadata, ModelConfig& /*config*/) {
  const std::string key = "olmo2.attention.sliding_window";
  SMELT_ASSIGN(const auto window, find_count(metadata, key, {0, kMaxContext}));
  if (window.value_or(0) == 0) return {};
  return bad_count(metadata, key, *window, "a sliding window is not supported in this family");
}

}  // namespace

extern const ModelFamily olmo2_family = {.name = "olmo2",
                                         .gguf_architecture = "olmo2",
                                         .hf_architectures = kHfArchitectures,
                                         .hf_model_type = "olmo2",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_decoder_config,
                                         .load = load_decoder,
                                         .form = {.qk_norm = QkNorm::rows, .read_gguf = read_gguf, .read_hf = read_hf}};

}  // namespace smelt
