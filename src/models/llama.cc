// The Llama family: pre-norm decoder layers of grouped-query attention with rotary positions and a SwiGLU feed-forward
// (Touvron et al., arXiv 2302.13971, 2307.09288; Grattafiori et al., arXiv 2407.21783). Also Mistral (Jiang et al.,
// arXiv 2310.06825), which has the same form and may have a sliding window. Configuration, weights and forward:
// decoder.h.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily llama_family;

namespace {

constexpr auto kTensorNames =
    join_names(kTrunk, kPreNorms, kReorderedAttention, kReorderedAttentionBiases, kGatedMlp, kGatedMlpBiases);

constexpr const char* kMistral = "MistralForCausalLM";
constexpr const char* kHfArchitectures[] = {"LlamaForCausalLM", kMistral};

// LlamaForCausalLM has no windows, whatever its config.json says.
Status read_hf(const Metadata& metadata, ModelConfig& c) {
  return c.architecture == kMistral ? read_window(metadata, c) : Status();
}

// With experts it is mixtral.cc's.
bool has_no_experts(const Checkpoint& checkpoint) {
  const Metadata& metadata = checkpoint.metadata();
  const auto n = metadata.find_uint("llama.expert_count");
  return !n || n->value_or(0) == 0;
}

// Of the architectures of this form, Mistral's is the one that knows windows.
void add_hf(const ModelConfig& c, Metadata& metadata) {
  if (c.window == 0) return;
  metadata.set("architectures", MetaValue::of_strings({kMistral}));
  metadata.set("model_type", MetaValue::of_string("mistral"));
  add_window(c, metadata);
}

}  // namespace

extern const ModelFamily llama_family = {
    .name = "llama",
    .gguf_architecture = "llama",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "llama",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {.gguf_rope = RopeLayout::interleaved,
             .gguf_window = true,
             .hf = {.qkv_bias = "attention_bias", .output_bias = "attention_bias", .mlp_bias = "mlp_bias"},
             .read_hf = read_hf,
             .add_hf = add_hf},
    .claims = has_no_experts};

}  // namespace smelt
