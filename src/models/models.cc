// The list of families and the way from a checkpoint to its model.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "base/check.h"
#include "base/log.h"
#include "base/text.h"
#include "models/family.h"
#include "models/model.h"

namespace smelt {

#define SMELT_FAMILY(name) extern const ModelFamily name##_family;
#include "models/families.inc"
#undef SMELT_FAMILY

namespace {

constexpr const ModelFamily* kFamilies[] = {
#define SMELT_FAMILY(name) &name##_family,
#include "models/families.inc"
#undef SMELT_FAMILY
};

// The list has one name of each family, which is long enough; the nearest may be any.
Error unknown_architecture(const std::string& architecture, Dialect dialect) {
  std::vector<std::string> known;
  std::string list;
  for (const ModelFamily* family : kFamilies) {
    const bool is_gguf = dialect == Dialect::gguf;
    const std::string first = is_gguf ? family->gguf_architecture : family->hf_architectures.front();
    if (std::find(known.begin(), known.end(), first) == known.end()) list += (list.empty() ? "" : ", ") + first;
    known.push_back(first);
    if (!is_gguf) known.insert(known.end(), family->hf_architectures.begin(), family->hf_architectures.end());
  }
  const std::string nearest = find_nearest(architecture, known);
  return input_error(fmt::format("architecture '{}' is not supported; supported: {}{}",
                                 escape_for_display(architecture), list,
                                 nearest.empty() || known.size() == 1 ? "" : "; nearest: " + nearest));
}

Result<std::string> read_architecture(const Checkpoint& checkpoint) {
  const Metadata& metadata = checkpoint.metadata();
  if (checkpoint.dialect() == Dialect::gguf) return metadata.get_string("general.architecture");
  SMELT_ASSIGN(const std::vector<std::string>* names, metadata.find_strings("architectures"));
  if (names == nullptr || names->empty()) return input_error("key 'architectures' is missing");
  return names->front();
}

// Buffers that old checkpoints keep beside weights.
bool is_counter(std::string_view name) { return name.ends_with("position_ids"); }

// A name spelled as the table has it, or ""; and the way back.
std::string apply_alias(const NameAlias& alias, std::string_view name, bool to_other) {
  const std::string_view from = to_other ? alias.name : alias.other;
  const size_t at = name.find(from);
  if (at == std::string_view::npos) return "";
  std::string out(name);
  return out.replace(at, from.size(), to_other ? alias.other : alias.name);
}

constexpr int64_t kMaxLayerNumber = 1 << 20;

bool handles(const ModelFamily& family, const std::string& architecture, const Checkpoint& checkpoint) {
  if (family.claims != nullptr && !family.claims(checkpoint)) return false;
  if (checkpoint.dialect() == Dialect::gguf) return architecture == family.gguf_architecture;
  for (const char* name : family.hf_architectures) {
    if (architecture == name) return true;
  }
  return false;
}

// Tensors that the family does not know have no effect, which the user should know: the text may not be what the
// model's makers meant. One note, however many.
void note_unknown_tensors(const Checkpoint& checkpoint, const ModelFamily& family) {
  const TensorEntry* first = nullptr;
  size_t n_more = 0;
  for (const TensorEntry& tensor : checkpoint.tensors()) {
    const bool is_known = find_tensor_name(family, parse_name(tensor.name).pattern, checkpoint.dialect()) != nullptr;
    if (is_known || is_counter(tensor.name) || tensor.name.starts_with("rope_f"))
      continue;  // rope_freqs.weight, rope_factors_*.weight
    if (first == nullptr) {
      first = &tensor;
    } else {
      ++n_more;
    }
  }
  if (first == nullptr) return;
  log(LogLevel::note, fmt::format("{}: is not part of a {} model and has no effect{}", checkpoint.describe(*first),
                                  family.name, n_more == 0 ? "" : fmt::format("; nor have {} more", n_more)));
}

// A part of a name that is a number, written as numbers are.
std::optional<int64_t> part_number(std::string_view part) {
  int64_t number = 0;
  const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), number);
  const bool is_number =
      error == std::errc() && stop == part.data() + part.size() && number >= 0 && number < kMaxLayerNumber;
  if (!is_number || std::to_string(number) != part) return std::nullopt;
  return number;
}

// "models/tiny-chat/" and "models/tiny-chat.gguf" are both called tiny-chat.
std::string file_stem(const std::string& path) {
  const std::filesystem::path full(path);
  const std::filesystem::path last = full.has_filename() ? full.filename() : full.parent_path().filename();
  return last.extension() == ".gguf" || last.extension() == ".bin" ? last.stem().string() : last.string();
}

}  // namespace

std::span<const ModelFamily* const> all_families() { return kFamilies; }

Result<const ModelFamily*> find_family(const Checkpoint& checkpoint) {
  SMELT_ASSIGN(const std::string architecture, read_architecture(checkpoint).with_context(config_file(checkpoint)));
  for (const ModelFamily* family : kFamilies) {
    if (handles(*family, architecture, checkpoint)) return family;
  }
  return unknown_architecture(architecture, checkpoint.dialect()).with_context(config_file(checkpoint));
}

std::string config_file(const Checkpoint& checkpoint) {
  return checkpoint.dialect() == Dialect::hugging_face ? checkpoint.path() + "/config.json" : checkpoint.path();
}

std::string layer_name(std::string_view pattern, int64_t layer, int64_t expert) {
  std::string name(pattern);
  if (const size_t at = name.find("{}"); at != std::string::npos) name.replace(at, 2, std::to_string(layer));
  if (const size_t at = name.find("[]"); at != std::string::npos) name.replace(at, 2, std::to_string(expert));
  return name;
}

NamePattern parse_name(std::string_view name) {
  NamePattern out{.pattern = "", .layer = -1};
  int n_numbers = 0;
  while (!name.empty()) {
    const size_t end = std::min(name.find('.'), name.size());
    const std::string_view part = name.substr(0, end);
    const std::optional<int64_t> number = out.pattern.empty() || end == name.size() ? std::nullopt : part_number(part);
    const bool is_index = number && n_numbers < 2;
    if (is_index && n_numbers == 0) out.layer = *number;
    out.pattern += is_index ? (n_numbers == 0 ? "{}" : "[]") : part;
    if (is_index) ++n_numbers;
    if (end < name.size()) out.pattern += '.';
    name.remove_prefix(std::min(end + 1, name.size()));
  }
  return out;
}

Shape form_shape(ValueForm form, Dialect dialect, int64_t n, const ModelConfig& config) {
  const bool is_gguf = dialect == Dialect::gguf;
  const SsmConfig& ssm = config.ssm;
  switch (form) {
    case ValueForm::column:
    case ValueForm::log_a:
      return is_gguf ? Shape{n, 1} : Shape{n};
    case ValueForm::grouped:
      return is_gguf ? Shape{ssm.n_groups, n / ssm.n_groups} : Shape{n};
    case ValueForm::filters:
      return is_gguf ? Shape{n / ssm.n_taps, ssm.n_taps} : Shape{n / ssm.n_taps, 1, ssm.n_taps};
    case ValueForm::row:
      return is_gguf ? Shape{n} : Shape{1, n};
    default:
      return {n};
  }
}

bool is_per_expert(const TensorName& name) {
  return std::string_view(name.hugging_face).find("[]") != std::string_view::npos;
}

namespace {

// A table's name may have numbers of its own, which parse_name takes for those of layers and experts.
bool has_pattern(const char* name, std::string_view pattern) {
  if (pattern == name) return true;
  const bool has_numbers = std::string_view(name).find(".layer.") != std::string_view::npos;
  return has_numbers && parse_name(layer_name(name, 0, 0)).pattern == pattern;
}

const TensorName* find_exact_name(const ModelFamily& family, std::string_view pattern, Dialect dialect) {
  const std::string_view prefix = family.hf_prefix;
  for (const TensorName& name : family.tensors) {
    if (has_pattern(dialect == Dialect::gguf ? name.gguf : name.hugging_face, pattern)) return &name;
    if (dialect == Dialect::gguf || prefix.empty()) continue;
    const std::string_view full = name.hugging_face;
    if (full.starts_with(prefix) && pattern == full.substr(prefix.size())) return &name;
  }
  return nullptr;
}

}  // namespace

const TensorName* find_tensor_name(const ModelFamily& family, std::string_view pattern, Dialect dialect) {
  const TensorName* name = find_exact_name(family, pattern, dialect);
  for (const NameAlias& alias : family.aliases) {
    if (name != nullptr || dialect == Dialect::gguf) break;
    name = find_exact_name(family, apply_alias(alias, pattern, false), dialect);
  }
  return name;
}

const TensorEntry* find_tensor(const Checkpoint& checkpoint, const ModelFamily& family, const TensorName& name,
                               int64_t layer, int64_t expert) {
  if (checkpoint.dialect() == Dialect::gguf) return checkpoint.find_tensor(layer_name(name.gguf, layer));
  const std::string_view prefix = family.hf_prefix;
  const auto find = [&](const std::string& full) {
    const TensorEntry* tensor = checkpoint.find_tensor(full);
    if (tensor != nullptr || prefix.empty() || !full.starts_with(prefix)) return tensor;
    return checkpoint.find_tensor(full.substr(prefix.size()));
  };
  const std::string full = layer_name(name.hugging_face, layer, expert);
  const TensorEntry* tensor = find(full);
  for (const NameAlias& alias : family.aliases) {
    if (tensor != nullptr) break;
    const std::string other = apply_alias(alias, full, true);
    if (!other.empty()) tensor = find(other);
  }
  return tensor;
}

const char* hf_architecture(const ModelFamily& family, const ModelConfig& config) {
  const LabelHead head = config.encoder ? config.encoder->head : LabelHead::none;
  const char* ending = head == LabelHead::text ? "SequenceClassification" : "TokenClassification";
  for (const char* name : family.hf_architectures) {
    if (head != LabelHead::none && std::string_view(name).ends_with(ending)) return name;
  }
  return family.hf_architectures.front();
}

std::string hf_tensor_name(const ModelFamily& family, const ModelConfig& config, std::string_view name) {
  // Where only one of two heads is spelled otherwise, the table has that of texts.
  const bool labels_tokens = config.encoder && config.encoder->head == LabelHead::token;
  for (const NameAlias& alias : family.aliases) {
    const bool is_head = std::string_view(alias.name).starts_with("classifier.");
    const std::string other = labels_tokens && is_head ? apply_alias(alias, name, true) : "";
    if (!other.empty()) return other;
  }
  return std::string(name);
}

Result<ModelConfig> parse_model_config(const Checkpoint& checkpoint) {
  SMELT_ASSIGN(const ModelFamily* family, find_family(checkpoint));
  SMELT_ASSIGN(ModelConfig config, family->parse_config(checkpoint, *family).with_context(config_file(checkpoint)));
  if (config.name.empty()) config.name = file_stem(checkpoint.path());
  return config;
}

void Model::encode(const EncodeArgs& /*args*/, ThreadPool& /*threads*/) const { SMELT_CHECK(false); }

// NOLINTNEXTLINE(performance-unnecessary-value-param): the model shares it, as callers see by the value
Result<std::shared_ptr<const Model>> Model::load(std::shared_ptr<const Checkpoint> checkpoint, Compute compute) {
  SMELT_ASSIGN(const ModelFamily* family, find_family(*checkpoint));
  SMELT_ASSIGN(ModelConfig config, parse_model_config(*checkpoint));
  if (family->load == nullptr) {
    return input_error(fmt::format(
        "{}: {} models are encoders, which give embeddings and labels and write no text; use 'smelt embed', or 'smelt "
        "classify' where the model has labels",
        escape_for_display(checkpoint->path(), 4096), family->name));
  }
  SMELT_ASSIGN(auto model, family->load(checkpoint, std::move(config), compute, *family));
  note_unknown_tensors(*checkpoint, *family);
  return model;
}

Result<std::shared_ptr<const Model>> Model::load_for_checks(const Checkpoint& checkpoint) {
  SMELT_ASSIGN(Checkpoint shapes, checkpoint.without_packed_values());
  return load(std::make_shared<const Checkpoint>(std::move(shapes)));
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): as above
Result<std::shared_ptr<const Encoder>> Encoder::load(std::shared_ptr<const Checkpoint> checkpoint, Compute compute) {
  SMELT_ASSIGN(const ModelFamily* family, find_family(*checkpoint));
  SMELT_ASSIGN(ModelConfig config, parse_model_config(*checkpoint));
  if (family->load_encoder == nullptr) {
    return input_error(fmt::format("{}: {} models write text and are no encoders",
                                   escape_for_display(checkpoint->path(), 4096), family->name));
  }
  SMELT_ASSIGN(auto encoder, family->load_encoder(checkpoint, std::move(config), compute, *family));
  note_unknown_tensors(*checkpoint, *family);
  return encoder;
}

Result<ModelConfig> check_model(const std::shared_ptr<const Checkpoint>& checkpoint) {
  SMELT_ASSIGN(const ModelFamily* family, find_family(*checkpoint));
  if (family->load_encoder != nullptr) {
    SMELT_ASSIGN(const auto encoder, Encoder::load(checkpoint));
    return encoder->config();
  }
  SMELT_ASSIGN(const auto model, Model::load_for_checks(*checkpoint));
  return model->config();
}

}  // namespace smelt
