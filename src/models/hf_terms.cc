// The small files of a Hugging Face folder for a GGUF checkpoint: config.json, tokenizer.json, tokenizer_config.json,
// licences, and smelt_metadata.json with what these do not say.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "base/text.h"
#include "formats/hf_folder.h"
#include "models/canonical_keys.h"
#include "models/model.h"

namespace smelt {
namespace {

// The rope settings behind a GGUF's keys and its rope_freqs.weight.
Result<RopeConfig> find_rope(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  if (config.n_rope != config.d_head) {
    return input_error(
        fmt::format("key '{}.rope.dimension_count' is {}: Hugging Face's {} always rotates whole heads ({})",
                    family.gguf_architecture, config.n_rope, family.hf_architectures.front(), config.d_head));
  }
  SMELT_ASSIGN(const RopeConfig rope, parse_gguf_rope(checkpoint.metadata(), family.gguf_architecture));
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

// The double that prints as the float does: 1e-06 and not 9.999999974752427e-07.
MetaValue number(float value) {
  std::array<char, 32> text{};
  const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double same = static_cast<double>(value);
  std::from_chars(text.data(), end, same);
  return MetaValue::of_f64(same);
}

void add_rope(const RopeConfig& rope, Metadata& config) {
  config.set("rope_theta", number(rope.base));
  if (rope.scaling == RopeScaling::none) return;
  const bool is_llama3 = rope.scaling == RopeScaling::llama3;
  config.set("rope_scaling.rope_type", MetaValue::of_string(is_llama3 ? "llama3" : "linear"));
  config.set("rope_scaling.factor", number(rope.factor));
  if (!is_llama3) return;
  config.set("rope_scaling.low_freq_factor", number(rope.low_freq_factor));
  config.set("rope_scaling.high_freq_factor", number(rope.high_freq_factor));
  config.set("rope_scaling.original_max_position_embeddings",
             MetaValue::of_i64(static_cast<int64_t>(rope.n_ctx_original)));
}

// True if layer 0 has all of these biases, false if none; some of them is a form that config.json cannot express.
Result<bool> find_biases(const Checkpoint& checkpoint, const std::vector<std::string>& names, const char* what) {
  size_t found = 0;
  for (const std::string& name : names) found += checkpoint.find_tensor(name) != nullptr ? 1 : 0;
  if (found == 0 || found == names.size()) return found > 0;
  return input_error(fmt::format("{} of {} biases of the {} are there; Hugging Face's LlamaForCausalLM has all or none",
                                 found, names.size(), what));
}

Status add_biases(const Checkpoint& checkpoint, const ModelFamily& family, Metadata& config) {
  if (family.biases != Biases::as_configured) return {};
  SMELT_ASSIGN(
      const bool attention,
      find_biases(checkpoint, {"blk.0.attn_q.bias", "blk.0.attn_k.bias", "blk.0.attn_v.bias", "blk.0.attn_output.bias"},
                  "attention"));
  SMELT_ASSIGN(
      const bool mlp,
      find_biases(checkpoint, {"blk.0.ffn_gate.bias", "blk.0.ffn_up.bias", "blk.0.ffn_down.bias"}, "feed-forward"));
  config.set("attention_bias", MetaValue::of_bool(attention));
  config.set("mlp_bias", MetaValue::of_bool(mlp));
  return {};
}

void add_sizes(const ModelConfig& c, Metadata& config) {
  const struct {
    const char* key;
    int64_t value;
  } counts[] = {{"vocab_size", c.n_vocab},
                {"max_position_embeddings", c.n_ctx_train},
                {"hidden_size", c.d_model},
                {"num_hidden_layers", c.n_layers},
                {"intermediate_size", c.d_ff},
                {"num_attention_heads", c.n_heads},
                {"num_key_value_heads", c.n_kv_heads},
                {"head_dim", c.d_head}};
  for (const auto& [key, value] : counts) config.set(key, MetaValue::of_i64(value));
  config.set("rms_norm_eps", number(c.rms_norm_eps));
  if (c.window > 0) config.set("sliding_window", MetaValue::of_i64(c.window));
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

constexpr std::array kTranslatedFields = {"architectures",
                                          "model_type",
                                          "_name_or_path",
                                          "vocab_size",
                                          "max_position_embeddings",
                                          "hidden_size",
                                          "num_hidden_layers",
                                          "intermediate_size",
                                          "num_attention_heads",
                                          "num_key_value_heads",
                                          "head_dim",
                                          "rms_norm_eps",
                                          "sliding_window",
                                          "hidden_act",
                                          "tie_word_embeddings",
                                          "rope_theta",
                                          "attention_bias",
                                          "mlp_bias",
                                          "dtype",
                                          "torch_dtype"};

}  // namespace

bool is_translated_config_key(std::string_view key) {
  if (key.starts_with("rope_scaling.") || key.starts_with("rope_parameters.")) return true;
  return std::find(kTranslatedFields.begin(), kTranslatedFields.end(), key) != kTranslatedFields.end();
}

Result<HfFiles> hf_files(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  HfFiles files;
  // Of the architectures of this form, Mistral's is the one that knows windows.
  const bool windows = config.window > 0;
  files.config.set("architectures",
                   MetaValue::of_strings({windows ? "MistralForCausalLM" : family.hf_architectures.front()}));
  files.config.set("model_type", MetaValue::of_string(windows ? "mistral" : family.hf_model_type));
  if (!config.name.empty() && is_valid_utf8(config.name)) {
    files.config.set("_name_or_path", MetaValue::of_string(config.name));
  }
  add_sizes(config, files.config);
  files.config.set("hidden_act", MetaValue::of_string("silu"));
  files.config.set("tie_word_embeddings", MetaValue::of_bool(config.tied_head));
  SMELT_ASSIGN(const RopeConfig rope, find_rope(checkpoint, family, config));
  add_rope(rope, files.config);
  SMELT_TRY(add_biases(checkpoint, family, files.config));
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
  SMELT_ASSIGN(const ModelConfig config_again, family.parse_config(again));
  SMELT_ASSIGN(const Metadata base, gguf_metadata(again, family, config_again));
  files.attachments.push_back({kMetadataFile, format_metadata_json(original, base)});
  return files;
}

}  // namespace smelt
