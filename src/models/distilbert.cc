// The DistilBERT family (Sanh et al., arXiv 1910.01108): BERT without types of tokens, and with a head of its own.
#include "models/encoder_family.h"
#include "models/encoder_names.h"

namespace smelt {

extern const ModelFamily distilbert_family;

namespace {

constexpr const char* kHfArchitectures[] = {"DistilBertModel", "DistilBertForSequenceClassification",
                                            "DistilBertForTokenClassification", "DistilBertForMaskedLM"};
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "distilbert.embeddings.word_embeddings.weight"},
    {"position_embd.weight", "distilbert.embeddings.position_embeddings.weight"},
    {"token_embd_norm.weight", "distilbert.embeddings.LayerNorm.weight"},
    {"token_embd_norm.bias", "distilbert.embeddings.LayerNorm.bias"},
    {"blk.{}.attn_q.weight", "distilbert.transformer.layer.{}.attention.q_lin.weight"},
    {"blk.{}.attn_q.bias", "distilbert.transformer.layer.{}.attention.q_lin.bias"},
    {"blk.{}.attn_k.weight", "distilbert.transformer.layer.{}.attention.k_lin.weight"},
    {"blk.{}.attn_k.bias", "distilbert.transformer.layer.{}.attention.k_lin.bias"},
    {"blk.{}.attn_v.weight", "distilbert.transformer.layer.{}.attention.v_lin.weight"},
    {"blk.{}.attn_v.bias", "distilbert.transformer.layer.{}.attention.v_lin.bias"},
    {"blk.{}.attn_output.weight", "distilbert.transformer.layer.{}.attention.out_lin.weight"},
    {"blk.{}.attn_output.bias", "distilbert.transformer.layer.{}.attention.out_lin.bias"},
    {"blk.{}.attn_output_norm.weight", "distilbert.transformer.layer.{}.sa_layer_norm.weight"},
    {"blk.{}.attn_output_norm.bias", "distilbert.transformer.layer.{}.sa_layer_norm.bias"},
    {"blk.{}.ffn_up.weight", "distilbert.transformer.layer.{}.ffn.lin1.weight"},
    {"blk.{}.ffn_up.bias", "distilbert.transformer.layer.{}.ffn.lin1.bias"},
    {"blk.{}.ffn_down.weight", "distilbert.transformer.layer.{}.ffn.lin2.weight"},
    {"blk.{}.ffn_down.bias", "distilbert.transformer.layer.{}.ffn.lin2.bias"},
    {"blk.{}.layer_output_norm.weight", "distilbert.transformer.layer.{}.output_layer_norm.weight"},
    {"blk.{}.layer_output_norm.bias", "distilbert.transformer.layer.{}.output_layer_norm.bias"},
    optional_tensor({"cls.weight", "pre_classifier.weight"}),
    optional_tensor({"cls.bias", "pre_classifier.bias"}),
    optional_tensor({"cls.output.weight", "classifier.weight"}),
    optional_tensor({"cls.output.bias", "classifier.bias"})};

void finish(ModelConfig& c) {
  c.norm_eps = 1e-12F;  // always; config.json does not say
  c.encoder->head_activation = HeadActivation::relu;
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_hf_encoder(metadata, c));
  finish(c);
  return {};
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_gguf_encoder(metadata, c));
  finish(c);
  return {};
}

// GGUF calls it BERT.
bool claims(const Checkpoint& checkpoint) {
  return checkpoint.dialect() != Dialect::gguf || names_family(checkpoint.metadata(), distilbert_family.name);
}

}  // namespace

extern const ModelFamily distilbert_family = {.name = "distilbert",
                                              .gguf_architecture = "bert",
                                              .hf_architectures = kHfArchitectures,
                                              .hf_model_type = "distilbert",
                                              .tensors = kTensorNames,
                                              .parse_config = parse_decoder_config,
                                              .load = nullptr,
                                              .form = {.rotates = false,
                                                       .norm = NormKind::layer,
                                                       .activation = Activation::gelu_erf,
                                                       .gated = false,
                                                       .hf = {.n_layers = "n_layers",
                                                              .d_model = "dim",
                                                              .d_ff = "hidden_dim",
                                                              .n_heads = "n_heads",
                                                              .n_kv_heads = nullptr,
                                                              .d_head = nullptr,
                                                              .eps = nullptr,
                                                              .activation = "activation"},
                                                       .read_gguf = read_gguf,
                                                       .read_hf = read_hf,
                                                       .add_gguf = add_gguf_encoder,
                                                       .add_hf = add_hf_encoder},
                                              .claims = claims,
                                              .hf_prefix = "distilbert.",
                                              .load_encoder = load_layered_encoder};

}  // namespace smelt
