// The BERT family (Devlin et al., arXiv 1810.04805), of which MiniLM's, BGE's and E5's models are: learned positions,
// types of tokens, biases everywhere, a norm of x behind each half of a layer, a plain feed-forward with GELU.
#include "models/encoder_family.h"
#include "models/encoder_names.h"

namespace smelt {

extern const ModelFamily bert_family;

namespace {

constexpr const char* kHfArchitectures[] = {"BertModel", "BertForSequenceClassification", "BertForTokenClassification",
                                            "BertForMaskedLM", "BertForPreTraining"};
constexpr TensorName kTensorNames[] = {{"token_embd.weight", "bert.embeddings.word_embeddings.weight"},
                                       {"position_embd.weight", "bert.embeddings.position_embeddings.weight"},
                                       {"token_types.weight", "bert.embeddings.token_type_embeddings.weight"},
                                       {"token_embd_norm.weight", "bert.embeddings.LayerNorm.weight"},
                                       {"token_embd_norm.bias", "bert.embeddings.LayerNorm.bias"},
                                       SMELT_BERT_LAYERS("bert."),
                                       optional_tensor({"cls.weight", "bert.pooler.dense.weight"}),
                                       optional_tensor({"cls.bias", "bert.pooler.dense.bias"}),
                                       optional_tensor({"cls.output.weight", "classifier.weight"}),
                                       optional_tensor({"cls.output.bias", "classifier.bias"})};

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_hf_encoder(metadata, c));
  return read_token_types(metadata, "type_vocab_size", c);
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_gguf_encoder(metadata, c));
  return read_token_types(metadata, "", c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_hf_encoder(c, metadata);
  metadata.set("type_vocab_size", MetaValue::of_i64(c.encoder->n_token_types));
}

// GGUF calls other families so too.
bool claims(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() != Dialect::gguf) return true;
  const Metadata& metadata = checkpoint.metadata();
  if (metadata.contains(kFamilyKey)) return names_family(metadata, bert_family.name);
  const auto tokenizer = metadata.find_string("tokenizer.ggml.model");
  return !tokenizer || !*tokenizer || **tokenizer == "bert";
}

}  // namespace

extern const ModelFamily bert_family = {.name = "bert",
                                        .gguf_architecture = "bert",
                                        .hf_architectures = kHfArchitectures,
                                        .hf_model_type = "bert",
                                        .tensors = kTensorNames,
                                        .parse_config = parse_decoder_config,
                                        .load = nullptr,
                                        .form = {.rotates = false,
                                                 .norm = NormKind::layer,
                                                 .activation = Activation::gelu_erf,
                                                 .gated = false,
                                                 .hf = kBertKeys,
                                                 .read_gguf = read_gguf,
                                                 .read_hf = read_hf,
                                                 .add_gguf = add_gguf_encoder,
                                                 .add_hf = add_hf},
                                        .claims = claims,
                                        .hf_prefix = "bert.",
                                        .aliases = kOldNormNames,
                                        .load_encoder = load_layered_encoder};

}  // namespace smelt
