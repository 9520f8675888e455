// The BitNet b1.58 family (Ma et al., arXiv 2402.17764): Llama's decoder with ternary weights, a squared ReLU, and
// norms between attention and feed-forward and the matrices after them. Weights are taken as they stand, ternary or
// not, and activations are not rounded to 8 bits; packed folders are decoded below (formats/packed/bitnet.cc).
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/decoder_names.h"

namespace smelt {

extern const ModelFamily bitnet_family;

namespace {

constexpr const char* kHfArchitectures[] = {"BitNetForCausalLM"};
constexpr TensorName kSubNorms[] = {{"blk.{}.attn_sub_norm.weight", "model.layers.{}.self_attn.attn_sub_norm.weight"},
                                    {"blk.{}.ffn_sub_norm.weight", "model.layers.{}.mlp.ffn_sub_norm.weight"}};
constexpr auto kTensorNames = join_names(kTrunk, kPreNorms, kAttention, kSubNorms, kGatedMlp);

Status read_hf(const Metadata& metadata, ModelConfig& /*config*/) {
  return refuse_if_true(metadata, "attention_bias", "a bias in the attention of this family");
}

}  // namespace

extern const ModelFamily bitnet_family = {.name = "bitnet",
                                          .gguf_architecture = "bitnet-b1.58",
                                          .hf_architectures = kHfArchitectures,
                                          .hf_model_type = "bitnet",
                                          .tensors = kTensorNames,
                                          .parse_config = parse_decoder_config,
                                          .load = load_decoder,
                                          .form = {.activation = Activation::relu_squared, .read_hf = read_hf}};

}  // namespace smelt
