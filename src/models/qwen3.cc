// The Qwen3 family (Yang et al., arXiv 2505.09388): Qwen2's decoder without biases, with a norm on each head of queries
// and keys, and heads whose size does not follow from the width.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily qwen3_family;

namespace {

constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kAttention, kQkNorms, kGatedMlp);
constexpr const char* kHfArchitectures[] = {"Qwen3ForCausalLM"};

Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  return refuse_windows(metadata);
}

}  // namespace

extern const ModelFamily qwen3_family = {.name = "qwen3",
                                         .gguf_architecture = "qwen3",
                                         .hf_architectures = kHfArchitectures,
                                         .hf_model_type = "qwen3",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_decoder_config,
                                         .load = load_decoder,
                                         .form = {.read_hf = read_hf}};

}  // namespace smelt
