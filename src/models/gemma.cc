// The first Gemma family (Gemma Team, arXiv 2403.08295): Llama's decoder with GELU in place of SiLU, embeddings scaled
// by the root of the width, and norms whose weights Hugging Face stores less one.
#include <cmath>

#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily gemma_family;

namespace {

constexpr const char* kHfArchitectures[] = {"GemmaForCausalLM"};
constexpr TensorName kNorms[] = {
    plus_one({"output_norm.weight", "model.norm.weight"}),
    plus_one({"blk.{}.attn_norm.weight", "model.layers.{}.input_layernorm.weight"}),
    plus_one({"blk.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight"})};
constexpr auto kTensorNames = join_names(kEmbeddings, kNorms, kAttention, kGatedMlp);

Status scale_embedding(const Metadata& /*metadata*/, ModelConfig& c) {
  c.embedding_scale = std::sqrt(static_cast<float>(c.d_model));
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family"));
  SMELT_TRY(refuse_if_true(metadata, "use_bidirectional_attention", "attention to later tokens"));
  return scale_embedding(metadata, c);
}

}  // namespace

extern const ModelFamily gemma_family = {
    .name = "gemma",
    .gguf_architecture = "gemma",
    .hf_architectures = kHfArchitectures,
    .hf_model_type = "gemma",
    .tensors = kTensorNames,
    .parse_config = parse_decoder_config,
    .load = load_decoder,
    .form = {
        .activation = Activation::gelu_tanh, .tied_default = true, .read_gguf = scale_embedding, .read_hf = read_hf}};

}  // namespace smelt
