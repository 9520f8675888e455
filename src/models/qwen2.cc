// The Qwen2 family (Yang et al., arXiv 2407.10671; Qwen2.5 has the same form): Llama's decoder with biases on queries,
// keys and values. Its GGUF files keep Hugging Face's row order, so both rotate the two halves of a head.
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily qwen2_family;

namespace {

constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kAttention, kQkvBiases, kGatedMlp);
constexpr const char* kHfArchitectures[] = {"Qwen2ForCausalLM"};

Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) { return refuse_windows(metadata); }

}  // namespace

extern const ModelFamily qwen2_family = {.name = "qwen2",
                                         .gguf_architecture = "qwen2",
                                         .hf_architectures = kHfArchitectures,
                                         .hf_model_type = "qwen2",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_decoder_config,
                                         .load = load_decoder,
                                         .form = {.read_hf = read_hf}};

}  // namespace smelt
