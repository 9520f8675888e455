// The first OLMo family (Groeneveld et al., arXiv 2402.00838): Llama's decoder with layer norms that have no weights,
// and queries, keys and values kept in bounds.
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily olmo_family;

namespace {

constexpr const char* kHfArchitectures[] = {"OlmoForCausalLM"};
constexpr auto kTensorNames = join_names(kEmbeddings, kReorderedAttention, kGatedMlp);
constexpr double kMaxClamp = 1e6;

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  SMELT_ASSIGN(c.qkv_clamp, read_float_or(metadata, "clip_qkv", 0, kMaxClamp, 0));
  return {};
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_ASSIGN(c.qkv_clamp, read_float_or(metadata, "olmo.attention.clamp_kqv", 0, kMaxClamp, 0));
  return {};
}

void add_gguf(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  if (c.qkv_clamp > 0) metadata.set(prefix + "attention.clamp_kqv", MetaValue::of_f32(c.qkv_clamp));
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  if (c.qkv_clamp > 0) metadata.set("clip_qkv", json_number(c.qkv_clamp));
}

}  // namespace

extern const ModelFamily olmo_family = {.name = "olmo",
                                        .gguf_architecture = "olmo",
                                        .hf_architectures = kHfArchitectures,
                                        .hf_model_type = "olmo",
                                        .tensors = kTensorNames,
                                        .parse_config = parse_decoder_config,
                                        .load = load_decoder,
                                        .form = {.gguf_rope = RopeLayout::interleaved,
                                                 .norm = NormKind::layer,
                                                 .plain_norms = true,
                                                 .hf = {.eps = nullptr},
                                                 .read_gguf = read_gguf,
                                                 .read_hf = read_hf,
                                                 .add_gguf = add_gguf,
                                                 .add_hf = add_hf}};

}  // namespace smelt
