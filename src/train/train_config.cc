#include "train/train_config.h"

#include <fmt/format.h>

#include <filesystem>

#include "formats/toml_tree.h"
#include "tokenizers/bpe_trainer.h"

namespace smelt {
namespace {

constexpr int64_t kMany = int64_t{1} << 40;

// The table of this name, or an empty one.
const TomlNode& table_of(TomlFields& fields, const std::string& key) {
  static const TomlNode kEmpty{TomlNode::Table{}, 0};
  const TomlNode* node = fields.find(key);
  return node == nullptr ? kEmpty : *node;
}

std::string beside(const std::string& config_file, const std::string& name) {
  if (name.empty() || name.starts_with('/')) return name;
  return (std::filesystem::path(config_file).parent_path() / name).string();
}

Status read_shape(TomlFields& model, Metadata& shape) {
  const auto count = [&](const char* key, const char* name, int64_t otherwise, int64_t max) -> Status {
    SMELT_ASSIGN(const int64_t value, model.integer(key, otherwise, otherwise == 0 ? 0 : 1, max));
    if (value == 0) return model.error(key, "missing");
    shape.set(name, MetaValue::of_i64(value));
    return {};
  };
  shape.set("architectures", MetaValue::of_strings({"LlamaForCausalLM"}));
  shape.set("model_type", MetaValue::of_string("llama"));
  shape.set("hidden_act", MetaValue::of_string("silu"));
  SMELT_TRY(count("layers", "num_hidden_layers", 0, 512));
  SMELT_TRY(count("width", "hidden_size", 0, 1 << 16));
  SMELT_TRY(count("feed_forward", "intermediate_size", 0, 1 << 18));
  SMELT_TRY(count("heads", "num_attention_heads", 0, 1024));
  SMELT_TRY(
      count("kv_heads", "num_key_value_heads", std::get<int64_t>(shape.find("num_attention_heads")->value), 1024));
  SMELT_TRY(count("context", "max_position_embeddings", 512, 1 << 20));
  SMELT_ASSIGN(const double rope_base, model.number("rope_base", 10000, 1, 1e9));
  SMELT_ASSIGN(const double eps, model.number("norm_eps", 1e-5, 1e-12, 0.1));
  SMELT_ASSIGN(const bool tied, model.boolean("tied_embeddings", true));
  shape.set("rope_theta", MetaValue::of_f64(rope_base));
  shape.set("rms_norm_eps", MetaValue::of_f64(eps));
  shape.set("tie_word_embeddings", MetaValue::of_bool(tied));
  shape.set("attention_bias", MetaValue::of_bool(false));
  shape.set("mlp_bias", MetaValue::of_bool(false));
  return {};
}

Status read_model(TomlFields model, const std::string& file, TrainConfig& c) {
  SMELT_ASSIGN(const std::string from, model.text("from", ""));
  c.start_from = beside(file, from);
  SMELT_ASSIGN(c.n_ctx, model.integer("window", 0, 8, 1 << 20));
  if (from.empty()) SMELT_TRY(read_shape(model, c.shape));
  return model.finish();
}

Status read_tokenizer(TomlFields tokenizer, const std::string& file, TrainConfig& c) {
  SMELT_ASSIGN(const std::string name, tokenizer.text("file", ""));
  c.tokenizer_file = beside(file, name);
  const BpeTraining usual;
  SMELT_ASSIGN(c.n_vocab, tokenizer.integer("vocab", 0, 1, 1 << 20));
  SMELT_ASSIGN(c.pre_tokenizer, tokenizer.text("pre_tokenizer", usual.pre_tokenizer));
  SMELT_ASSIGN(c.special_tokens, tokenizer.texts("special"));
  c.special_tokens.insert(c.special_tokens.begin(), usual.special_tokens.begin(), usual.special_tokens.end());
  if (!name.empty() && c.n_vocab > 0) return tokenizer.error("vocab", "a tokenizer is given by 'file' already");
  if (name.empty() && c.n_vocab == 0 && c.start_from.empty())
    return tokenizer.error("vocab", "missing: its size, or 'file', a tokenizer.json");
  if (!c.start_from.empty() && (c.n_vocab > 0 || !name.empty()))
    return tokenizer.error(name.empty() ? "vocab" : "file", "the model that training starts from has a tokenizer");
  return tokenizer.finish();
}

Result<CorpusPart> read_part(TomlFields part) {
  CorpusPart out;
  SMELT_ASSIGN(out.files.patterns, part.texts("files"));
  if (out.files.patterns.empty()) return part.error("files", "missing: the names of text files");
  SMELT_ASSIGN(out.files.separator, part.text("separator", ""));
  SMELT_ASSIGN(out.files.format, part.text("format", out.files.format));
  SMELT_ASSIGN(out.files.turn, part.text("turn", out.files.turn));
  SMELT_ASSIGN(out.held_out, part.texts("held_out"));
  SMELT_ASSIGN(out.left_out, part.texts("left_out"));
  SMELT_TRY(part.finish());
  return out;
}

Status read_data(TomlFields& root, TrainConfig& c) {
  SMELT_ASSIGN(c.corpus.held_out_share, root.number("held_out_share", 0, 0, 0.5));
  SMELT_ASSIGN(const TomlNode* data, root.get("data"));
  const auto* list = std::get_if<TomlNode::Array>(&data->value);
  if (list == nullptr) return root.error("data", "not a list of tables: write [[data]]");
  bool has_held_out = c.corpus.held_out_share > 0;
  for (const TomlNode& node : *list) {
    SMELT_ASSIGN(CorpusPart part, read_part(root.table(node, "data")));
    has_held_out = has_held_out || !part.held_out.empty();
    c.corpus.parts.push_back(std::move(part));
  }
  if (has_held_out) return {};
  return root.error("held_out_share", "nothing is held out; give it, or 'held_out' of a [[data]]");
}

Status read_schedule(TomlFields train, ScheduleConfig& s) {
  SMELT_ASSIGN(s.steps, train.integer("steps", 0, 1, kMany));
  if (s.steps == 0) return train.error("steps", "missing");
  SMELT_ASSIGN(s.batch, train.integer("batch", s.batch, 1, 1 << 20));
  SMELT_ASSIGN(s.accumulate, train.integer("accumulate", s.accumulate, 1, s.batch));
  if (s.batch % s.accumulate != 0) return train.error("accumulate", "not a divisor of 'batch'");
  SMELT_ASSIGN(s.learning_rate, train.number("learning_rate", s.learning_rate, 1e-9, 10));
  SMELT_ASSIGN(s.final_rate, train.number("final_rate", s.final_rate, 0, 1));
  SMELT_ASSIGN(s.warmup, train.integer("warmup", std::min(s.warmup, s.steps / 10), 0, s.steps));
  SMELT_ASSIGN(s.weight_decay, train.number("weight_decay", s.weight_decay, 0, 10));
  SMELT_ASSIGN(s.beta1, train.number("beta1", s.beta1, 0, 0.9999999));
  SMELT_ASSIGN(s.beta2, train.number("beta2", s.beta2, 0, 0.9999999));
  SMELT_ASSIGN(s.epsilon, train.number("epsilon", s.epsilon, 1e-16, 1));
  SMELT_ASSIGN(s.clip, train.number("clip", s.clip, 0, 1e9));
  SMELT_ASSIGN(const size_t precision, train.choice("precision", {"f32", "bf16"}, 0));
  s.bf16 = precision == 1;
  SMELT_ASSIGN(const int64_t seed, train.integer("seed", 1, 0, kMany));
  s.seed = static_cast<uint64_t>(seed);
  SMELT_ASSIGN(const int64_t threads, train.integer("threads", 0, 0, 1024));
  s.threads = static_cast<int>(threads);
  return train.finish();
}

Status read_report(TomlFields report, ReportConfig& r) {
  SMELT_ASSIGN(r.log_every, report.integer("log_every", r.log_every, 1, kMany));
  SMELT_ASSIGN(r.evaluate_every, report.integer("evaluate_every", r.evaluate_every, 1, kMany));
  SMELT_ASSIGN(r.checkpoint_every, report.integer("checkpoint_every", r.checkpoint_every, 1, kMany));
  SMELT_ASSIGN(r.evaluate_tokens, report.integer("evaluate_tokens", r.evaluate_tokens, 1, kMany));
  SMELT_ASSIGN(r.prompts, report.texts("prompts"));
  SMELT_ASSIGN(r.sample_tokens, report.integer("sample_tokens", r.sample_tokens, 1, 4096));
  return report.finish();
}

Status read_output(TomlFields output, TrainConfig& c) {
  static constexpr DType kTypes[] = {DType::bf16, DType::f16, DType::f32};
  SMELT_ASSIGN(const size_t type, output.choice("type", {"bf16", "f16", "f32"}, 0));
  c.output_type = kTypes[type];
  return output.finish();
}

}  // namespace

Result<TrainConfig> parse_train_config(std::string_view text, const std::string& file_name,
                                       const std::string& data_folder) {
  SMELT_ASSIGN(const TomlNode root, parse_toml(text, file_name));
  TomlFields fields(root, "", file_name);
  TrainConfig c;
  c.text = text;
  c.corpus.data_folder = data_folder;
  SMELT_ASSIGN(c.name, fields.text("name", std::filesystem::path(file_name).stem().string()));
  SMELT_TRY(read_model(fields.table(table_of(fields, "model"), "model"), file_name, c));
  SMELT_TRY(read_tokenizer(fields.table(table_of(fields, "tokenizer"), "tokenizer"), file_name, c));
  SMELT_TRY(read_data(fields, c));
  SMELT_TRY(read_schedule(fields.table(table_of(fields, "train"), "train"), c.schedule));
  SMELT_TRY(read_report(fields.table(table_of(fields, "report"), "report"), c.report));
  SMELT_TRY(read_output(fields.table(table_of(fields, "output"), "output"), c));
  SMELT_TRY(fields.finish());
  return c;
}

}  // namespace smelt
