// What the configurations of encoders have besides those of decoders: heads, labels, types of tokens.
#include <fmt/format.h>

#include <charconv>

#include "base/text.h"
#include "models/config_reader.h"
#include "models/encoder_family.h"

namespace smelt {
namespace {

constexpr int64_t kMaxLabels = 1 << 16;
constexpr const char* kHeadKey = "smelt.classifier.head";
constexpr const char* kHeadPoolingKey = "smelt.classifier.pooling";
constexpr const char* kHeadActivationKey = "smelt.classifier.activation";
constexpr const char* kMultiLabelKey = "smelt.classifier.multi_label";
constexpr const char* kTokenTypesKey = "tokenizer.ggml.token_type_count";
constexpr const char* kLabelPrefix = "id2label.";
constexpr const char* kMultiLabel = "multi_label_classification";

LabelHead head_of(const std::string& architecture) {
  if (architecture.ends_with("ForSequenceClassification")) return LabelHead::text;
  return architecture.ends_with("ForTokenClassification") ? LabelHead::token : LabelHead::none;
}

Result<int64_t> label_number(const Metadata& metadata, const std::string& key) {
  const std::string_view text = std::string_view(key).substr(std::string_view(kLabelPrefix).size());
  int64_t number = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size() && number >= 0 && number < kMaxLabels) return number;
  return input_error(fmt::format("{}: not the number of a label, allowed 0 … {}", metadata.title(key), kMaxLabels - 1));
}

// Numbers are those of the head's rows: none may be missing.
Status read_labels(const Metadata& metadata, EncoderConfig& e) {
  std::vector<std::string> labels;
  size_t n = 0;
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(kLabelPrefix)) continue;
    SMELT_ASSIGN(const int64_t number, label_number(metadata, key));
    SMELT_ASSIGN(std::string label, metadata.get_string(key));
    if (labels.size() <= static_cast<size_t>(number)) labels.resize(static_cast<size_t>(number) + 1);
    labels[static_cast<size_t>(number)] = std::move(label);
    ++n;
  }
  if (n != labels.size()) {
    return input_error(fmt::format("key 'id2label' has {} labels, but the last is number {}", n, labels.size() - 1));
  }
  if (n == 0) {
    SMELT_ASSIGN(const auto stated, find_count(metadata, "num_labels", {1, kMaxLabels}));
    for (int64_t i = 0; i < stated.value_or(2); ++i) labels.push_back(fmt::format("LABEL_{}", i));
  }
  e.labels = std::move(labels);
  return {};
}

const char* pooling_word(Pooling pooling) { return pooling == Pooling::mean ? "mean" : "cls"; }

struct ActivationName {
  HeadActivation activation;
  const char* name;
};
constexpr ActivationName kActivationNames[] = {
    {HeadActivation::tanh, "tanh"}, {HeadActivation::relu, "relu"}, {HeadActivation::gelu_erf, "gelu"}};

Status read_own_activation(const Metadata& metadata, EncoderConfig& e) {
  SMELT_ASSIGN(const auto name, metadata.find_string(kHeadActivationKey));
  if (!name) return {};
  for (const auto& [activation, known] : kActivationNames) {
    if (*name != known) continue;
    e.head_activation = activation;
    return {};
  }
  return bad_value(metadata, kHeadActivationKey, fmt::format("'{}'", escape_for_display(*name)),
                   "supported: 'tanh', 'relu', 'gelu'");
}

}  // namespace

Status read_hf_encoder(const Metadata& metadata, ModelConfig& c) {
  SMELT_TRY(refuse_if_true(metadata, "is_decoder", "a decoder of this form"));
  SMELT_TRY(refuse_if_true(metadata, "add_cross_attention", "attention to another model's output"));
  SMELT_TRY(require_string(metadata, "position_embedding_type", "absolute"));
  EncoderConfig& e = c.encoder.emplace();
  c.tied_head = true;  // none of decoders'
  e.head = head_of(c.architecture);
  if (e.head == LabelHead::none) return {};
  SMELT_TRY(read_labels(metadata, e));
  SMELT_ASSIGN(const auto problem, metadata.find_string("problem_type"));
  e.multi_label = problem.value_or("") == kMultiLabel;
  return {};
}

void add_hf_encoder(const ModelConfig& c, Metadata& metadata) {
  const EncoderConfig& e = *c.encoder;
  for (size_t i = 0; i < e.labels.size(); ++i) {
    metadata.set(kLabelPrefix + std::to_string(i), MetaValue::of_string(e.labels[i]));
  }
  for (size_t i = 0; i < e.labels.size(); ++i) {
    metadata.set("label2id." + e.labels[i], MetaValue::of_i64(static_cast<int64_t>(i)));
  }
  if (e.multi_label) metadata.set("problem_type", MetaValue::of_string(kMultiLabel));
}

Status read_gguf_encoder(const Metadata& metadata, ModelConfig& c) {
  EncoderConfig& e = c.encoder.emplace();
  c.tied_head = true;
  const std::string causal_key = c.architecture + ".attention.causal";
  SMELT_TRY(refuse_if_true(metadata, causal_key, "attention to earlier tokens alone"));
  SMELT_ASSIGN(const auto* labels, metadata.find_strings(c.architecture + ".classifier.output_labels"));
  if (labels == nullptr || labels->empty()) return {};
  e.labels = *labels;
  SMELT_ASSIGN(const auto head, metadata.find_string(kHeadKey));
  e.head = head.value_or("text") == "token" ? LabelHead::token : LabelHead::text;
  SMELT_ASSIGN(const auto pooling, metadata.find_string(kHeadPoolingKey));
  e.head_pooling = pooling.value_or("cls") == "mean" ? Pooling::mean : Pooling::cls;
  SMELT_ASSIGN(const auto multi_label, metadata.find_bool(kMultiLabelKey));
  e.multi_label = multi_label.value_or(false);
  return read_own_activation(metadata, e);
}

void add_gguf_encoder(const ModelConfig& c, const std::string& prefix, Metadata& metadata) {
  const EncoderConfig& e = *c.encoder;
  metadata.set(prefix + "attention.causal", MetaValue::of_bool(false));
  metadata.set(kTokenTypesKey, MetaValue::of_u32(static_cast<uint32_t>(std::max<int64_t>(1, e.n_token_types))));
  metadata.set(kFamilyKey, MetaValue::of_string(c.family));
  if (e.head == LabelHead::none) return;
  metadata.set(prefix + "classifier.output_labels", MetaValue::of_strings(e.labels));
  metadata.set(kHeadKey, MetaValue::of_string(e.head == LabelHead::token ? "token" : "text"));
  metadata.set(kHeadPoolingKey, MetaValue::of_string(pooling_word(e.head_pooling)));
  for (const auto& [activation, name] : kActivationNames) {
    if (activation == e.head_activation) metadata.set(kHeadActivationKey, MetaValue::of_string(name));
  }
  if (e.multi_label) metadata.set(kMultiLabelKey, MetaValue::of_bool(true));
}

Status read_token_types(const Metadata& metadata, const std::string& key, ModelConfig& c) {
  SMELT_ASSIGN(const auto n, find_count(metadata, key.empty() ? kTokenTypesKey : key, {1, kMaxLabels}));
  c.encoder->n_token_types = n.value_or(2);
  return {};
}

bool names_family(const Metadata& metadata, const char* name) {
  const auto found = metadata.find_string(kFamilyKey);
  return found && *found && **found == name;
}

}  // namespace smelt
