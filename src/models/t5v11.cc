// T5 version 1.1 and FLAN-T5 (Chung et al., arXiv 2210.11416): feed-forwards gated by GELU, and most often a head of
// their own.
#include "models/decoder_names.h"
#include "models/layers/t5.h"
#include "models/t5_names.h"

namespace smelt {

extern const ModelFamily t5v11_family;

namespace {

constexpr TensorName kGates[] = {{"enc.blk.{}.ffn_gate.weight", "encoder.block.{}.layer.1.DenseReluDense.wi_0.weight"},
                                 {"enc.blk.{}.ffn_up.weight", "encoder.block.{}.layer.1.DenseReluDense.wi_1.weight"},
                                 {"dec.blk.{}.ffn_gate.weight", "decoder.block.{}.layer.2.DenseReluDense.wi_0.weight"},
                                 {"dec.blk.{}.ffn_up.weight", "decoder.block.{}.layer.2.DenseReluDense.wi_1.weight"}};
constexpr auto kTensorNames = join_names(kT5Names, kGates);

}  // namespace

extern const ModelFamily t5v11_family = {.name = "t5v11",
                                         .gguf_architecture = "t5",
                                         .hf_architectures = kT5HfArchitectures,
                                         .hf_model_type = "t5",
                                         .tensors = kTensorNames,
                                         .parse_config = parse_t5_config,
                                         .load = load_t5,
                                         .form = {.rotates = false,
                                                  .activation = Activation::gelu_tanh,
                                                  .tied_default = true,
                                                  .hf = kT5HfKeys,
                                                  .add_gguf = add_t5_gguf,
                                                  .add_hf = add_t5_hf},
                                         .claims = is_gated_t5};

}  // namespace smelt
