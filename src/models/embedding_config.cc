#include "models/embedding_config.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/json_tree.h"
#include "base/text.h"
#include "formats/hf_folder.h"
#include "models/config_reader.h"
#include "models/family.h"

namespace smelt {
namespace {

constexpr const char* kModulesFile = "modules.json";
constexpr const char* kPoolingFile = "1_Pooling/config.json";
constexpr const char* kTransformerFile = "sentence_bert_config.json";
constexpr const char* kNormalizeKey = "smelt.embedding.normalize";
constexpr const char* kMaxTokensKey = "smelt.embedding.max_tokens";

// GGUF's numbering.
struct PoolingNumber {
  Pooling pooling;
  uint32_t number;
};
constexpr PoolingNumber kNumbers[] = {{Pooling::mean, 1}, {Pooling::cls, 2}, {Pooling::last, 3}};

// "sentence_transformers.models.Pooling" → "Pooling"
std::string_view last_part(std::string_view type) { return type.substr(type.rfind('.') + 1); }

Status read_modules(const Checkpoint& checkpoint, EmbeddingConfig& e) {
  const Attachment* file = checkpoint.find_attachment(kModulesFile);
  if (file == nullptr) return {};
  const std::string path = checkpoint.path() + "/" + kModulesFile;
  SMELT_ASSIGN(const JsonValue tree, parse_json_tree(file->bytes, path));
  const JsonField root(tree, "modules");
  SMELT_ASSIGN(const JsonValue::Array* modules, root.array().with_context(path));
  for (size_t i = 0; i < modules->size(); ++i) {
    SMELT_ASSIGN(const std::string type, root.at(i).get_string("type", "").with_context(path));
    const std::string_view name = last_part(type);
    if (name == "Normalize") e.normalize = true;
    if (name == "Normalize" || name == "Transformer" || name == "Pooling") continue;
    return input_error(fmt::format("{}: module {} is a '{}'; supported: Transformer, Pooling, Normalize", path, i,
                                   escape_for_display(type)));
  }
  return {};
}

// "pooling_mode": "mean", or one of several flags.
Result<std::string> read_mode(const Metadata& metadata) {
  SMELT_ASSIGN(const auto mode, metadata.find_string("pooling_mode"));
  if (mode) return *mode;
  std::string found;
  const std::string prefix = "pooling_mode_";
  for (const auto& [key, value] : metadata.entries()) {
    if (!key.starts_with(prefix)) continue;
    SMELT_ASSIGN(const bool is_set, metadata.get_bool(key));
    if (!is_set) continue;
    if (!found.empty()) return bad_value(metadata, key, "true", "only one way of pooling is supported");
    found = key.substr(prefix.size());
  }
  return found;
}

Status read_pooling(const Checkpoint& checkpoint, EmbeddingConfig& e) {
  const Attachment* file = checkpoint.find_attachment(kPoolingFile);
  if (file == nullptr) return {};
  const std::string path = checkpoint.path() + "/" + kPoolingFile;
  SMELT_ASSIGN(const Metadata metadata, parse_json_metadata(file->bytes, path));
  SMELT_ASSIGN(const std::string mode, read_mode(metadata).with_context(path));
  static constexpr struct {
    const char* name;
    Pooling pooling;
  } kModes[] = {{"cls", Pooling::cls},          {"cls_token", Pooling::cls}, {"mean", Pooling::mean},
                {"mean_tokens", Pooling::mean}, {"last", Pooling::last},     {"lasttoken", Pooling::last}};
  for (const auto& [name, pooling] : kModes) {
    if (mode != name) continue;
    e.pooling = pooling;
    return {};
  }
  return input_error(fmt::format("{}: pooling '{}' is not supported; supported: cls, mean, lasttoken", path,
                                 escape_for_display(mode)));
}

Status read_max_tokens(const Checkpoint& checkpoint, EmbeddingConfig& e) {
  const Attachment* file = checkpoint.find_attachment(kTransformerFile);
  if (file == nullptr) return {};
  const std::string path = checkpoint.path() + "/" + kTransformerFile;
  SMELT_ASSIGN(const Metadata metadata, parse_json_metadata(file->bytes, path));
  SMELT_ASSIGN(const auto n, find_count(metadata, "max_seq_length", {1, kMaxContext}).with_context(path));
  e.max_tokens = std::min(e.max_tokens, n.value_or(e.max_tokens));
  return {};
}

Result<EmbeddingConfig> read_folder(const Checkpoint& checkpoint, EmbeddingConfig e) {
  SMELT_TRY(read_modules(checkpoint, e));
  SMELT_TRY(read_pooling(checkpoint, e));
  SMELT_TRY(read_max_tokens(checkpoint, e));
  return e;
}

Status read_gguf_pooling(const Metadata& metadata, const std::string& key, EmbeddingConfig& e) {
  constexpr int64_t kNone = 0;
  constexpr int64_t kRank = 4;  // that of a head, which embeddings do not pass
  SMELT_ASSIGN(const auto number, find_count(metadata, key, {0, kRank}));
  if (!number || *number == kNone || *number == kRank) return {};
  for (const auto& [pooling, known] : kNumbers) {
    if (*number == known) e.pooling = pooling;
  }
  return {};
}

Result<EmbeddingConfig> read_gguf(const Checkpoint& checkpoint, EmbeddingConfig e) {
  const Metadata& metadata = checkpoint.metadata();
  SMELT_ASSIGN(const std::string architecture, metadata.get_string("general.architecture"));
  SMELT_TRY(read_gguf_pooling(metadata, architecture + ".pooling_type", e));
  SMELT_ASSIGN(const auto normalize, metadata.find_bool(kNormalizeKey));
  e.normalize = normalize.value_or(true);
  SMELT_ASSIGN(const auto n, find_count(metadata, kMaxTokensKey, {1, kMaxContext}));
  e.max_tokens = std::min(e.max_tokens, n.value_or(e.max_tokens));
  return e;
}

}  // namespace

Result<EmbeddingConfig> parse_embedding_config(const Checkpoint& checkpoint, const ModelConfig& config) {
  EmbeddingConfig e;
  e.pooling = config.encoder ? Pooling::mean : Pooling::last;
  e.max_tokens = config.n_ctx_train;
  if (checkpoint.dialect() == Dialect::hugging_face) return read_folder(checkpoint, e);
  return read_gguf(checkpoint, e).with_context(config_file(checkpoint));
}

Status add_gguf_embedding(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& prefix,
                          Metadata& metadata) {
  if (!config.encoder && checkpoint.find_attachment(kModulesFile) == nullptr) return {};
  SMELT_ASSIGN(const EmbeddingConfig e, parse_embedding_config(checkpoint, config));
  for (const auto& [pooling, number] : kNumbers) {
    if (pooling == e.pooling) metadata.set(prefix + "pooling_type", MetaValue::of_u32(number));
  }
  metadata.set(kNormalizeKey, MetaValue::of_bool(e.normalize));
  if (e.max_tokens == config.n_ctx_train) return {};
  metadata.set(kMaxTokensKey, MetaValue::of_u32(static_cast<uint32_t>(e.max_tokens)));
  return {};
}

const char* pooling_name(Pooling pooling) {
  switch (pooling) {
    case Pooling::cls:
      return "cls";
    case Pooling::mean:
      return "mean";
    case Pooling::last:
      break;
  }
  return "last";
}

std::optional<Pooling> find_pooling(std::string_view name) {
  for (const Pooling pooling : {Pooling::cls, Pooling::mean, Pooling::last}) {
    if (name == pooling_name(pooling)) return pooling;
  }
  return std::nullopt;
}

}  // namespace smelt
