// GGUF metadata for a checkpoint of either dialect.
#include <fmt/format.h>

#include <iterator>
#include <span>

#include "base/log.h"
#include "base/text.h"
#include "models/canonical_keys.h"
#include "models/embedding_config.h"
#include "models/model.h"

namespace smelt {
namespace {

// "license: mit" between the two lines of dashes at the head of README.md, the Hub's model card.
std::string find_license(const Checkpoint& checkpoint) {
  const Attachment* card = checkpoint.find_attachment("README.md");
  if (card == nullptr || !card->bytes.starts_with("---\n")) return "";
  const size_t end = card->bytes.find("\n---", 3);
  const size_t at = card->bytes.find("\nlicense:");
  if (at == std::string::npos || at > end) return "";
  const size_t begin = card->bytes.find_first_not_of(" \"'", at + 9);
  const size_t stop = card->bytes.find_first_of(" \"'\r\n", begin);
  return begin == std::string::npos || stop <= begin ? "" : card->bytes.substr(begin, stop - begin);
}

// All end tokens, where GGUF's own keys do not hold as many.
Status keep_end_ids(const Vocab& vocab, Metadata& metadata) {
  SMELT_ASSIGN(const Vocab again, parse_gguf_vocab(metadata));
  if (again.eos_all.size() < vocab.eos_all.size()) {
    metadata.set(kEosIdsKey, MetaValue::of_i32s({vocab.eos_all.begin(), vocab.eos_all.end()}));
  }
  return {};
}

Status add_vocab(const Checkpoint& checkpoint, Metadata& metadata) {
  if (!has_vocab(checkpoint)) {
    log(LogLevel::note, checkpoint.path() + ": has no tokenizer; the result will have none either");
    return {};
  }
  SMELT_ASSIGN(const Vocab vocab, load_vocab(checkpoint));
  add_gguf_vocab(vocab, metadata);
  return keep_end_ids(vocab, metadata);
}

void add_own_rope(const RopeConfig& rope, Metadata& metadata) {
  const std::string own = kRopeScalingPrefix;
  if (rope.scaling == RopeScaling::dynamic) metadata.set(own + "rope_type", MetaValue::of_string("dynamic"));
  metadata.set(own + "factor", MetaValue::of_f32(rope.factor));
  if (rope.scaling != RopeScaling::llama3) return;
  metadata.set(own + "low_freq_factor", MetaValue::of_f32(rope.low_freq_factor));
  metadata.set(own + "high_freq_factor", MetaValue::of_f32(rope.high_freq_factor));
  metadata.set(own + "original_max_position_embeddings", MetaValue::of_f32(rope.n_ctx_original));
}

void add_yarn(const RopeConfig& rope, const std::string& scaling, Metadata& metadata) {
  metadata.set(scaling + "yarn_beta_fast", MetaValue::of_f32(rope.beta_fast));
  metadata.set(scaling + "yarn_beta_slow", MetaValue::of_f32(rope.beta_slow));
  // Readers multiply by the paper's magnitude themselves.
  const float more = rope.magnitude / yarn_magnitude(rope.factor);
  if (more != 1.0F) metadata.set(scaling + "attn_factor", MetaValue::of_f32(more));
}

void add_rope(const ModelConfig& config, const RopeConfig& rope, const std::string& prefix, Metadata& metadata) {
  metadata.set(prefix + "rope.dimension_count", MetaValue::of_u32(static_cast<uint32_t>(config.n_rope)));
  metadata.set(prefix + "rope.freq_base", MetaValue::of_f32(rope.base));
  const std::string scaling = prefix + "rope.scaling.";
  const bool is_yarn = rope.scaling == RopeScaling::yarn;
  const bool is_longrope = rope.scaling == RopeScaling::longrope;
  if (rope.scaling == RopeScaling::llama3 || rope.scaling == RopeScaling::dynamic) add_own_rope(rope, metadata);
  if (rope.scaling == RopeScaling::linear || is_yarn) {
    metadata.set(scaling + "type", MetaValue::of_string(is_yarn ? "yarn" : "linear"));
    metadata.set(scaling + "factor", MetaValue::of_f32(rope.factor));
  }
  if (is_yarn) add_yarn(rope, scaling, metadata);
  if (is_longrope) {
    metadata.set(scaling + "type", MetaValue::of_string("longrope"));
    metadata.set(scaling + "attn_factor", MetaValue::of_f32(rope.magnitude));
  }
  if (!is_yarn && !is_longrope) return;
  metadata.set(scaling + "original_context_length", MetaValue::of_u32(static_cast<uint32_t>(rope.n_ctx_original)));
}

void add_general(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config, Metadata& out) {
  out.set("general.architecture", MetaValue::of_string(family.gguf_architecture));
  out.set("general.type", MetaValue::of_string("model"));
  out.set("general.name", MetaValue::of_string(config.name));
  const std::string license = find_license(checkpoint);
  if (!license.empty()) out.set("general.license", MetaValue::of_string(license));
}

void add_sizes(const ModelConfig& c, const ModelFamily& family, const std::string& prefix, Metadata& out) {
  const struct {
    const char* key;
    int64_t value;
  } counts[] = {{"vocab_size", c.n_vocab},
                {"context_length", c.n_ctx_train},
                {"embedding_length", c.d_model},
                {"block_count", c.n_layers},
                {"feed_forward_length", c.d_ff},
                {"attention.head_count", c.n_kv_heads > 0 ? c.n_heads : 0},
                {"attention.head_count_kv", c.n_kv_heads},
                {"attention.key_length", c.d_head},
                {"attention.value_length", c.d_head}};
  const size_t n = c.n_kv_heads > 0 ? std::size(counts) : std::size(counts) - 3;  // those of attention
  for (const auto& [key, value] : std::span(counts).first(n))
    out.set(prefix + key, MetaValue::of_u32(static_cast<uint32_t>(value)));
  const bool is_rms = c.norm == NormKind::rms;
  out.set(prefix + (is_rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon"),
          MetaValue::of_f32(c.norm_eps));
  const int64_t window = c.layers.front().window;
  if (!family.form.gguf_window || window == 0) return;
  out.set(prefix + "attention.sliding_window", MetaValue::of_u32(static_cast<uint32_t>(window)));
}

void keep_other_config(const Metadata& metadata, const ModelFamily& family, Metadata& out) {
  for (const auto& [key, value] : metadata.entries()) {
    const bool of_other_file = key.starts_with("generation_config.") || key.starts_with("tokenizer_config.");
    if (!of_other_file && !is_translated_config_key(key, family)) out.set(kConfigPrefix + key, value);
  }
}

// The list of an earlier GGUF's keys does not know what was added to the folder since: licences, end tokens.
Status keep_additions(const Checkpoint& checkpoint, const Metadata& now, Metadata& earlier) {
  for (const auto& [key, value] : now.entries()) {
    const bool is_license = key.starts_with(kAttachmentPrefix) || key == "general.license";
    if (is_license && !earlier.contains(key)) earlier.set(key, value);
  }
  if (!has_vocab(checkpoint) || !earlier.contains("tokenizer.ggml.model")) return {};
  SMELT_ASSIGN(const Vocab vocab, load_vocab(checkpoint));
  return keep_end_ids(vocab, earlier);
}

Result<Metadata> translate_hf(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  Metadata out;
  const std::string prefix = std::string(family.gguf_architecture) + ".";
  add_general(checkpoint, family, config, out);
  add_sizes(config, family, prefix, out);
  if (config.n_rope > 0) {
    SMELT_ASSIGN(const RopeConfig rope, parse_hf_rope(checkpoint.metadata(), family.form.hf));
    add_rope(config, rope, prefix, out);
  }
  if (family.form.add_gguf != nullptr) family.form.add_gguf(config, prefix, out);
  SMELT_TRY(add_gguf_embedding(checkpoint, config, prefix, out));
  keep_other_config(checkpoint.metadata(), family, out);
  SMELT_TRY(add_vocab(checkpoint, out));
  for (const Attachment& file : checkpoint.attachments()) {
    if (is_kept_attachment(file.name)) out.set(kAttachmentPrefix + file.name, MetaValue::of_string(file.bytes));
  }
  const Attachment* kept = checkpoint.find_attachment(kMetadataFile);
  if (kept == nullptr) return out;
  SMELT_ASSIGN(Metadata earlier,
               parse_metadata_json(kept->bytes, out).with_context(checkpoint.path() + "/" + kMetadataFile));
  SMELT_TRY(keep_additions(checkpoint, out, earlier));
  return earlier;
}

}  // namespace

// Licences and what else a later folder could not be made without.
bool is_kept_attachment(std::string_view name) {
  for (const char* prefix : {"LICENSE", "LICENCE", "NOTICE", "USE_POLICY", "COPYING"}) {
    if (name.starts_with(prefix)) return true;
  }
  return name == "generation_config.json";
}

Result<Metadata> gguf_metadata(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config) {
  if (checkpoint.dialect() == Dialect::hugging_face) return translate_hf(checkpoint, family, config);
  Metadata metadata = checkpoint.metadata();
  for (const char* key : {"general.file_type", "split.no", "split.count", "split.tensors.count"}) metadata.erase(key);
  if (metadata.contains("tokenizer.ggml.model")) return metadata;
  if (!metadata.contains("general.name")) {
    metadata.set("general.name", MetaValue::of_string(config.name));
  }
  SMELT_TRY(add_vocab(checkpoint, metadata));
  return metadata;
}

}  // namespace smelt
