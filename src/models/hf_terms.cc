// The small files of a Hugging Face folder for a GGUF checkpoint: config.json, tokenizer.json, tokenizer_config.json,
// licences, and smelt_metadata.json with what these do not say.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "formats/hf_folder.h"
#include "models/canonical_keys.h"
#include "models/config_reader.h"
#include "models/decoder.h"
#include "models/model.h"

namespace smelt {
namespace {

// The rope settings behind a GGUF's keys and its rope_freqs.weight.
Result<RopeConfig> find_rope(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  if (config.n_rope != config.d_head && family.form.hf.rotated_share == nullptr) {
    return input_error(
        fmt::format("key '{}.rope.dimension_count' is {}: Hugging Face's {} always rotates whole heads ({})",
                    family.gguf_architecture, config.n_rope, family.hf_architectures.front(), config.d_head));
  }
  SMELT_ASSIGN(RopeConfig rope, parse_gguf_rope(checkpoint, family.gguf_architecture, config.n_rope));
  SMELT_ASSIGN(const auto factors, find_rope_factors(checkpoint, config.n_rope));
  if (!factors) return rope;
  Metadata own;  // what smelt noted when it wrote the file, under Hugging Face's names
  const std::string prefix = kRopeScalingPrefix;
  for (const auto& [key, value] : checkpoint.metadata().entries()) {
    if (key.starts_with(prefix)) own.set("rope_scaling." + key.substr(prefix.size()), value);
  }
  if (!own.entries().empty()) {
    own.set("rope_scaling.rope_type", MetaValue::of_string("llama3"));
    own.set("rope_theta", MetaValue::of_f32(rope.base));
    SMELT_ASSIGN(const RopeConfig noted, parse_hf_rope(own));
    if (make_rope_factors(noted, config.n_rope) == *factors) return noted;
  }
  if (const std::optional<RopeConfig> known = recognise_rope_factors(*factors, rope)) return *known;
  return input_error(
      "tensor 'rope_freqs.weight': the factors are not those of llama3 scaling, which is all that Hugging "
      "Face's config.json can express; keep the model as GGUF");
}

const char* scaling_name(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::none:
      return "default";
    case RopeScaling::linear:
      return "linear";
    case RopeScaling::dynamic:
      return "dynamic";
    case RopeScaling::llama3:
      return "llama3";
    case RopeScaling::yarn:
      return "yarn";
    case RopeScaling::longrope:
      return "longrope";
  }
  return "default";
}

MetaValue numbers(const std::vector<float>& values) {
  std::vector<double> list;
  for (const float value : values) list.push_back(std::get<double>(json_number(value).value));
  return {MetaType::array, MetaArray{MetaType::f64, std::move(list)}};
}

void add_rope(const RopeConfig& rope, const HfKeys& keys, Metadata& config) {
  config.set(keys.rope_base, json_number(rope.base));
  if (rope.scaling == RopeScaling::none) return;
  const std::string prefix = "rope_scaling.";
  config.set(prefix + "rope_type", MetaValue::of_string(scaling_name(rope.scaling)));
  const auto context = MetaValue::of_i64(static_cast<int64_t>(rope.n_ctx_original));
  if (rope.scaling == RopeScaling::longrope) {
    config.set("original_max_position_embeddings", context);
    config.set(prefix + "attention_factor", json_number(rope.magnitude));
    config.set(prefix + "short_factor", numbers(rope.short_factors));
    config.set(prefix + "long_factor", numbers(rope.long_factors));
    return;
  }
  config.set(prefix + "factor", json_number(rope.factor));
  if (rope.scaling == RopeScaling::yarn) {
    config.set(prefix + "attention_factor", json_number(rope.magnitude));
    config.set(prefix + "beta_fast", json_number(rope.beta_fast));
    config.set(prefix + "beta_slow", json_number(rope.beta_slow));
    config.set(prefix + "original_max_position_embeddings", context);
  }
  if (rope.scaling != RopeScaling::llama3) return;
  config.set(prefix + "low_freq_factor", json_number(rope.low_freq_factor));
  config.set(prefix + "high_freq_factor", json_number(rope.high_freq_factor));
  config.set(prefix + "original_max_position_embeddings", context);
}

// True if layer 0 has all of these biases, false if none; some of them is a form that config.json cannot express.
Result<bool> find_biases(const Checkpoint& checkpoint, const std::vector<std::string>& names,
                         const char* architecture) {
  size_t found = 0;
  for (const std::string& name : names) found += checkpoint.find_tensor("blk.0." + name + ".bias") != nullptr ? 1 : 0;
  if (found == 0 || found == names.size()) return found > 0;
  return input_error(fmt::format("{} of the {} biases of '{}' … '{}' are there; Hugging Face's {} has all or none",
                                 found, names.size(), names.front(), names.back(), architecture));
}

// Each field that says whether there are biases, from the tensors that it speaks of.
Status add_biases(const Checkpoint& checkpoint, const ModelFamily& family, Metadata& config) {
  const HfKeys& keys = family.form.hf;
  std::map<std::string, std::vector<std::string>> names;
  const auto add = [&](const char* key, std::initializer_list<const char*> tensors) {
    if (key == nullptr) return;
    for (const char* tensor : tensors) {
      const std::string name = std::string("blk.{}.") + tensor + ".bias";
      if (find_tensor_name(family, name, Dialect::gguf) != nullptr) names[key].emplace_back(tensor);
    }
  };
  add(keys.qkv_bias, {"attn_q", "attn_k", "attn_v", "attn_qkv"});
  add(keys.output_bias, {"attn_output"});
  add(keys.mlp_bias, {"ffn_gate", "ffn_up", "ffn_down"});
  for (const auto& [key, tensors] : names) {
    SMELT_ASSIGN(const bool has, find_biases(checkpoint, tensors, family.hf_architectures.front()));
    config.set(key, MetaValue::of_bool(has));
  }
  return {};
}

void add_sizes(const ModelConfig& c, const HfKeys& keys, Metadata& config) {
  const struct {
    const char* key;
    int64_t value;
  } counts[] = {{"vocab_size", c.n_vocab},       {keys.n_ctx, c.n_ctx_train}, {keys.d_model, c.d_model},
                {keys.n_layers, c.n_layers},     {keys.d_ff, c.d_ff},         {keys.n_heads, c.n_heads},
                {keys.n_kv_heads, c.n_kv_heads}, {keys.d_head, c.d_head}};
  for (const auto& [key, value] : counts) {
    if (key != nullptr) config.set(key, MetaValue::of_i64(value));
  }
  if (keys.eps != nullptr) config.set(keys.eps, json_number(c.norm_eps));
  if (keys.rotated_share == nullptr) return;
  config.set(keys.rotated_share, MetaValue::of_f64(static_cast<double>(c.n_rope) / static_cast<double>(c.d_head)));
}

const char* activation_name(Activation activation) {
  switch (activation) {
    case Activation::silu:
      return "silu";
    case Activation::gelu_tanh:
      return "gelu_pytorch_tanh";
    case Activation::gelu_erf:
      return "gelu";
    case Activation::relu_squared:
      return "relu2";
    case Activation::relu:
      return "relu";
  }
  return "silu";
}

void add_special_ids(const Vocab& vocab, Metadata& config) {
  if (vocab.bos) config.set("bos_token_id", MetaValue::of_i64(*vocab.bos));
  if (vocab.padding) config.set("pad_token_id", MetaValue::of_i64(*vocab.padding));
  if (vocab.eos_all.size() == 1) config.set("eos_token_id", MetaValue::of_i64(vocab.eos_all.front()));
  if (vocab.eos_all.size() < 2) return;
  std::vector<int64_t> ids(vocab.eos_all.begin(), vocab.eos_all.end());
  config.set("eos_token_id", {MetaType::array, MetaArray{MetaType::i64, std::move(ids)}});
}

std::string tokenizer_config_json(const Vocab& vocab, const ModelConfig& config) {
  nlohmann::ordered_json json;
  const auto add_token = [&](const char* key, const std::optional<TokenId>& id) {
    if (id && is_valid_utf8(vocab.tokens[static_cast<size_t>(*id)].text)) {
      json[key] = vocab.tokens[static_cast<size_t>(*id)].text;
    }
  };
  json["tokenizer_class"] = "PreTrainedTokenizerFast";
  json["model_max_length"] = config.n_ctx_train;
  json["add_bos_token"] = vocab.add_bos;
  json["add_eos_token"] = vocab.add_eos;
  add_token("bos_token", vocab.bos);
  add_token("eos_token", vocab.eos);
  add_token("unk_token", vocab.unknown);
  add_token("pad_token", vocab.padding);
  if (!vocab.chat_template.empty() && is_valid_utf8(vocab.chat_template)) json["chat_template"] = vocab.chat_template;
  return json.dump(2) + "\n";
}

Status add_tokenizer(const Checkpoint& checkpoint, const ModelConfig& config, HfFiles& files) {
  if (!has_vocab(checkpoint)) {
    log(LogLevel::note, checkpoint.path() + ": has no tokenizer; the result will have none either");
    return {};
  }
  SMELT_ASSIGN(const Vocab vocab, load_vocab(checkpoint));
  add_special_ids(vocab, files.config);
  SMELT_ASSIGN(std::string tokenizer_json, format_tokenizer_json(vocab).with_context(checkpoint.path()));
  files.attachments.push_back({"tokenizer.json", std::move(tokenizer_json)});
  files.attachments.push_back({"tokenizer_config.json", tokenizer_config_json(vocab, config)});
  return {};
}

// Fields that an earlier folder's config.json had besides those made here.
void add_kept_config(const Metadata& original, Metadata& config) {
  const std::string prefix = kConfigPrefix;
  for (const auto& [key, value] : original.entries()) {
    if (!key.starts_with(prefix)) continue;
    const std::string field = key.substr(prefix.size());
    if (!field.empty() && !config.contains(field)) config.set(field, value);
  }
}

// The files as the reader of folders will see them.
Result<Checkpoint> read_back(const HfFiles& files, const std::string& path) {
  Checkpoint::Parts parts;
  parts.path = path;
  parts.dialect = Dialect::hugging_face;
  parts.attachments = files.attachments;
  SMELT_ASSIGN(parts.metadata, parse_json_metadata(format_json_metadata(files.config), "config.json"));
  for (const char* name : {"generation_config", "tokenizer_config"}) {
    for (const Attachment& file : files.attachments) {
      if (file.name != std::string(name) + ".json") continue;
      SMELT_ASSIGN(const Metadata more, parse_json_metadata(file.bytes, file.name));
      for (const auto& [key, value] : more.entries()) parts.metadata.set(std::string(name) + "." + key, value);
    }
  }
  return Checkpoint(std::move(parts));
}

constexpr std::array kTranslatedFields = {"architectures",       "model_type",     "_name_or_path",
                                          "vocab_size",          "dtype",          "rope_theta",
                                          "tie_word_embeddings", "sliding_window", "torch_dtype"};

}  // namespace

bool is_translated_config_key(std::string_view key, const ModelFamily& family) {
  if (key.starts_with("rope_scaling.") || key.starts_with("rope_parameters.")) return true;
  const HfKeys& k = family.form.hf;
  for (const char* own : {k.n_layers, k.d_model, k.d_ff, k.n_heads, k.n_kv_heads, k.d_head, k.n_ctx, k.eps,
                          k.activation, k.rotated_share, k.rope_base, k.qkv_bias, k.output_bias, k.mlp_bias}) {
    if (own != nullptr && key == own) return true;
  }
  return std::find(kTranslatedFields.begin(), kTranslatedFields.end(), key) != kTranslatedFields.end();
}

Result<HfFiles> hf_files(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  HfFiles files;
  files.config.set("architectures", MetaValue::of_strings({hf_architecture(family, config)}));
  files.config.set("model_type", MetaValue::of_string(family.hf_model_type));
  if (!config.name.empty() && is_valid_utf8(config.name)) {
    files.config.set("_name_or_path", MetaValue::of_string(config.name));
  }
  add_sizes(config, family.form.hf, files.config);
  files.config.set(family.form.hf.activation, MetaValue::of_string(activation_name(config.activation)));
  files.config.set("tie_word_embeddings", MetaValue::of_bool(config.tied_head));
  if (config.n_rope > 0) {
    SMELT_ASSIGN(const RopeConfig rope, find_rope(checkpoint, family, config));
    add_rope(rope, family.form.hf, files.config);
  }
  SMELT_TRY(add_biases(checkpoint, family, files.config));
  if (family.form.add_hf != nullptr) family.form.add_hf(config, files.config);
  SMELT_TRY(add_tokenizer(checkpoint, config, files));
  SMELT_ASSIGN(const Metadata original, gguf_metadata(checkpoint, family, config));
  add_kept_config(original, files.config);
  const std::string prefix = kAttachmentPrefix;
  for (const auto& [key, value] : original.entries()) {
    if (!key.starts_with(prefix) || value.type != MetaType::string) continue;
    const std::string name = key.substr(prefix.size());
    if (is_kept_attachment(name)) files.attachments.push_back({name, std::get<std::string>(value.value)});
  }
  SMELT_ASSIGN(const Checkpoint again, read_back(files, checkpoint.path()));
  SMELT_ASSIGN(const ModelConfig config_again, family.parse_config(again, family));
  SMELT_ASSIGN(const Metadata base, gguf_metadata(again, family, config_again));
  files.attachments.push_back({kMetadataFile, format_metadata_json(original, base)});
  return files;
}

}  // namespace smelt
