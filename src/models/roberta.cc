// The RoBERTa family (Liu et al., arXiv 1907.11692) and XLM-R (Conneau et al., arXiv 1911.02116): BERT whose positions
// are counted from behind the number of the padding token, and whose head has its inner layer.
#include "models/config_reader.h"
#include "models/encoder_family.h"
#include "models/encoder_names.h"

namespace smelt {

extern const ModelFamily roberta_family;

namespace {

constexpr const char* kHfArchitectures[] = {"RobertaModel",
                                            "RobertaForSequenceClassification",
                                            "RobertaForTokenClassification",
                                            "RobertaForMaskedLM",
                                            "XLMRobertaModel",
                                            "XLMRobertaForSequenceClassification",
                                            "XLMRobertaForTokenClassification",
                                            "XLMRobertaForMaskedLM"};
constexpr TensorName kTensorNames[] = {
    {"token_embd.weight", "roberta.embeddings.word_embeddings.weight"},
    {"position_embd.weight", "roberta.embeddings.position_embeddings.weight", RowOrder::same, ValueForm::positions},
    {"token_types.weight", "roberta.embeddings.token_type_embeddings.weight"},
    {"token_embd_norm.weight", "roberta.embeddings.LayerNorm.weight"},
    {"token_embd_norm.bias", "roberta.embeddings.LayerNorm.bias"},
    SMELT_BERT_LAYERS("roberta."),
    optional_tensor(
        {"pooler.weight", "roberta.pooler.dense.weight"}),  // travels along: neither head nor pooling has it
    optional_tensor({"pooler.bias", "roberta.pooler.dense.bias"}),
    optional_tensor({"cls.weight", "classifier.dense.weight"}),
    optional_tensor({"cls.bias", "classifier.dense.bias"}),
    optional_tensor({"cls.output.weight", "classifier.out_proj.weight"}),
    optional_tensor({"cls.output.bias", "classifier.out_proj.bias"})};
constexpr NameAlias kAliases[] = {{"classifier.out_proj.", "classifier."},
                                  {"LayerNorm.weight", "LayerNorm.gamma"},
                                  {"LayerNorm.bias", "LayerNorm.beta"}};

// Positions are numbered from the padding token's number on, which none of them has.
Status read_skipped(const Metadata& metadata, const std::string& key, ModelConfig& c) {
  SMELT_ASSIGN(const auto padding, find_count(metadata, key, {0, kMaxVocab}));
  c.encoder->n_skipped_positions = padding.value_or(1) + 1;
  return {};
}

Status read_hf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_hf_encoder(metadata, c));
  SMELT_TRY(read_token_types(metadata, "type_vocab_size", c));
  SMELT_TRY(read_skipped(metadata, "pad_token_id", c));
  const int64_t n_rows = c.n_ctx_train;
  c.n_ctx_train -= c.encoder->n_skipped_positions;
  if (c.n_ctx_train >= 1) return {};
  return bad_count(metadata, "max_position_embeddings", n_rows,
                   "which leaves no positions behind that of key 'pad_token_id'");
}

Status read_gguf(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(read_gguf_encoder(metadata, c));
  SMELT_TRY(read_token_types(metadata, "", c));
  return read_skipped(metadata, "smelt.config.pad_token_id", c);
}

void add_hf(const ModelConfig& c, Metadata& metadata) {
  add_hf_encoder(c, metadata);
  metadata.set("type_vocab_size", MetaValue::of_i64(c.encoder->n_token_types));
  metadata.set("max_position_embeddings", MetaValue::of_i64(c.n_ctx_train + c.encoder->n_skipped_positions));
  metadata.set("pad_token_id", MetaValue::of_i64(c.encoder->n_skipped_positions - 1));
}

// GGUF calls it BERT; its tokenizer is another.
bool claims(const Checkpoint& checkpoint) {
  if (checkpoint.dialect() != Dialect::gguf) return true;
  const Metadata& metadata = checkpoint.metadata();
  if (metadata.contains(kFamilyKey)) return names_family(metadata, roberta_family.name);
  const auto tokenizer = metadata.find_string("tokenizer.ggml.model");
  return tokenizer && *tokenizer && **tokenizer != "bert";
}

}  // namespace

extern const ModelFamily roberta_family = {.name = "roberta",
                                           .gguf_architecture = "bert",
                                           .hf_architectures = kHfArchitectures,
                                           .hf_model_type = "roberta",
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
                                           .hf_prefix = "roberta.",
                                           .aliases = kAliases,
                                           .load_encoder = load_layered_encoder};

}  // namespace smelt
