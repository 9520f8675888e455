#include "train/prepare.h"

#include <fmt/format.h>

#include "base/atomic_file.h"
#include "base/log.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "base/units.h"
#include "formats/hf_folder.h"
#include "tokenizers/bpe_trainer.h"
#include "train/live_model.h"

namespace smelt {
namespace {

constexpr uint64_t kMaxTokenizerBytes = uint64_t{1} << 28;

// On the training side of the corpus alone.
Result<std::string> train_tokenizer(const TrainConfig& config, const JobControl& job) {
  BpeTraining options;
  options.n_vocab = config.n_vocab;
  options.pre_tokenizer = config.pre_tokenizer;
  options.special_tokens = config.special_tokens;
  SMELT_ASSIGN(BpeTrainer trainer, BpeTrainer::create(options));
  SMELT_TRY(for_each_split_document(config.corpus, job, [&](const Document& document, Side side) -> Status {
    if (side == Side::training) trainer.add(document.text);
    return {};
  }));
  SMELT_ASSIGN(const Vocab vocab, trainer.train(job));
  return format_tokenizer_json(vocab);
}

Result<std::string> tokenizer_json(const TrainConfig& config, const WorkFolder& work, const JobControl& job) {
  if (!config.tokenizer_file.empty()) return read_file(config.tokenizer_file, kMaxTokenizerBytes);
  const std::string kept = work.file("tokenizer.json");
  if (auto text = read_file(kept, kMaxTokenizerBytes)) return text;
  SMELT_ASSIGN(std::string text, train_tokenizer(config, job));
  SMELT_TRY(write_file(kept, text, Overwrite::replace));
  return text;
}

std::string tokenizer_config(const Vocab& vocab, int64_t n_ctx) {
  Metadata out;
  const auto name = [&](const char* key, const std::optional<TokenId>& id) {
    if (id) out.set(key, MetaValue::of_string(vocab.tokens[static_cast<size_t>(*id)].text));
  };
  out.set("tokenizer_class", MetaValue::of_string("PreTrainedTokenizerFast"));
  name("bos_token", vocab.bos);
  name("eos_token", vocab.eos);
  out.set("add_bos_token", MetaValue::of_bool(vocab.add_bos));
  out.set("clean_up_tokenization_spaces", MetaValue::of_bool(false));
  out.set("model_max_length", MetaValue::of_i64(n_ctx));
  return format_json_metadata(out);
}

void add_end_ids(const Vocab& vocab, Metadata& metadata) {
  if (vocab.bos) metadata.set("bos_token_id", MetaValue::of_i64(*vocab.bos));
  if (vocab.eos) metadata.set("eos_token_id", MetaValue::of_i64(*vocab.eos));
}

Status prepare_new(const TrainConfig& config, const WorkFolder& work, const JobControl& job, PreparedRun& run) {
  SMELT_ASSIGN(std::string json, tokenizer_json(config, work, job));
  SMELT_ASSIGN(Vocab vocab,
               parse_tokenizer_json(json, config.tokenizer_file.empty() ? "tokenizer.json" : config.tokenizer_file));
  // A file alone does not say which tokens begin and end a text; the first two control tokens do, as made here.
  for (size_t i = 0; i < vocab.tokens.size() && i < 2; ++i) {
    if (vocab.tokens[i].type != TokenType::control) continue;
    auto& slot = i == 0 ? vocab.bos : vocab.eos;
    if (!slot) slot = static_cast<TokenId>(i);
  }
  add_end_tokens(vocab);
  run.config_json = config.shape;
  run.config_json.set("vocab_size", MetaValue::of_i64(static_cast<int64_t>(vocab.tokens.size())));
  add_end_ids(vocab, run.config_json);
  SMELT_ASSIGN(run.model, config_of(run.config_json));
  Metadata generation;
  add_end_ids(vocab, generation);
  run.attachments = {{"tokenizer.json", std::move(json)},
                     {"tokenizer_config.json", tokenizer_config(vocab, run.model.n_ctx_train)},
                     {"generation_config.json", format_json_metadata(generation)}};
  SMELT_ASSIGN(run.tokenizer, make_tokenizer(std::move(vocab)));
  return {};
}

Status prepare_start(const TrainConfig& config, PreparedRun& run) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(config.start_from));
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  SMELT_ASSIGN(run.tokenizer, load_tokenizer(*checkpoint));
  SMELT_ASSIGN(run.start, to_hugging_face_terms(checkpoint));
  run.config_json = run.start->metadata;
  run.attachments = run.start->attachments;
  SMELT_ASSIGN(run.model, config_of(run.config_json));
  return {};
}

Status write_stores(const TrainConfig& config, const PreparedRun& run, const WorkFolder& work, const JobControl& job) {
  SMELT_ASSIGN(auto training, TokenStoreWriter::create(work.file("training.tokens"), *run.tokenizer, work.key()));
  SMELT_ASSIGN(auto held_out, TokenStoreWriter::create(work.file("held-out.tokens"), *run.tokenizer, work.key()));
  SMELT_TRY(for_each_split_document(config.corpus, job, [&](const Document& document, Side side) {
    return (side == Side::training ? training : held_out).add(document.text);
  }));
  SMELT_TRY(training.commit());
  return held_out.commit();
}

bool open_stores(const WorkFolder& work, PreparedRun& run) {
  auto training = TokenStore::open(work.file("training.tokens"), work.key());
  auto held_out = TokenStore::open(work.file("held-out.tokens"), work.key());
  if (!training || !held_out) return false;
  run.training = std::move(*training);
  run.held_out = std::move(*held_out);
  return true;
}

Status check_sizes(const PreparedRun& run) {
  if (run.held_out.size() >= run.n_window) return {};
  return input_error(fmt::format("the held-out text has {} tokens, less than one window of {}; hold out more",
                                 run.held_out.size(), run.n_window));
}

}  // namespace

Result<PreparedRun> prepare_run(const TrainConfig& config, const WorkFolder& work, const JobControl& job) {
  PreparedRun run;
  SMELT_TRY(config.start_from.empty() ? prepare_new(config, work, job, run) : prepare_start(config, run));
  run.n_window = config.n_ctx == 0 ? run.model.n_ctx_train : config.n_ctx;
  if (run.n_window > run.model.n_ctx_train)
    return input_error(fmt::format("field 'model.window': {} is more than the model's context, {}", run.n_window,
                                   run.model.n_ctx_train));
  if (!open_stores(work, run)) {
    SMELT_TRY(write_stores(config, run, work, job));
    if (!open_stores(work, run)) return input_error(fmt::format("{}: cannot be read back", work.path()));
  }
  SMELT_TRY(check_sizes(run));
  return run;
}

}  // namespace smelt
