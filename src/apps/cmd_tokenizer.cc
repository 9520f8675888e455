// smelt tokenizer: makes tokenizers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/atomic_file.h"
#include "base/text.h"
#include "base/units.h"
#include "corpus/documents.h"
#include "tokenizers/bpe_trainer.h"
#include "tokenizers/pre_tokenizer.h"

namespace smelt {
namespace {

struct TrainArguments {
  TextFiles files;
  BpeTraining training;
  std::vector<std::string> more_special;
  std::string output, type = "bpe";
  bool force = false;
};

Status run_train(TrainArguments& arguments) {
  for (const std::string& text : arguments.more_special) arguments.training.special_tokens.push_back(text);
  SMELT_ASSIGN(BpeTrainer trainer, BpeTrainer::create(arguments.training));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const JobControl job{bar.get(), &interrupt_token()};
  uint64_t n_documents = 0, n_bytes = 0;
  SMELT_TRY(for_each_document(arguments.files, "", job, [&](const Document& document) -> Status {
    trainer.add(document.text);
    ++n_documents;
    n_bytes += document.text.size();
    return {};
  }));
  SMELT_ASSIGN(const Vocab vocab, trainer.train(job));
  bar.reset();
  SMELT_ASSIGN(const std::string json, format_tokenizer_json(vocab));
  SMELT_TRY(write_file(arguments.output, json, arguments.force ? Overwrite::replace : Overwrite::refuse));
  return print(fmt::format("{}: {} tokens, {} merges, from {} documents ({}, {} different words)\n",
                           escape_for_display(arguments.output, 4096), vocab.tokens.size(), vocab.merges.size(),
                           n_documents, format_bytes(n_bytes), trainer.n_distinct_words()));
}

Action add_train(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  app.add_option("data", arguments->files.patterns, "text files (.txt), or files of JSON lines (.jsonl)")
      ->required()
      ->type_name("FILE");
  app.add_option("-o,--output", arguments->output, "tokenizer.json to write")->required()->type_name("FILE");
  add_int(app, "--vocab", arguments->training.n_vocab, {1}, "tokens, special ones and the 256 bytes included (4096)");
  app.add_option("--type", arguments->type, "bpe: byte-level byte-pair encoding")->check(CLI::IsMember({"bpe"}));
  add_choice(
      app, "--pre-tokenizer", arguments->training.pre_tokenizer, {"gpt-2", "llama-bpe", "qwen2"},
      [](const std::string& name) { return PreTokenizer::make(name).has_value(); },
      "how text is cut into words, which no token crosses (default gpt-2)");
  add_strings(app, "--special", arguments->more_special, "TEXT",
              "another control token, besides <|begin|> and <|end|>; may be given several times");
  add_int(app, "--min-count", arguments->training.min_count, {1}, "of a pair that becomes a token (default 2)");
  app.add_option("--separator", arguments->files.separator, "what stands between documents in .txt files")
      ->type_name("TEXT");
  app.add_option("--format", arguments->files.format,
                 "the text of a line of .jsonl, its fields in braces (default {text})")
      ->type_name("TEXT");
  app.add_option("--turn", arguments->files.turn, "how a field that is a list of objects is put down, object by object")
      ->type_name("TEXT");
  app.add_flag("--force", arguments->force, "replace the output if it exists");
  return [arguments] { return run_train(*arguments); };
}

constexpr Command kTrain = {
    .name = "train",
    .summary = "Make a vocabulary from text",
    .details =
        "Merges the most frequent pair of tokens until there are as many as asked. The same texts give the same file, "
        "whatever their order; it loads in the Python library 'tokenizers', too.",
    .examples =
        "  smelt tokenizer train books/*.txt --vocab 4096 -o tokenizer.json\n"
        "  smelt tokenizer train tasks.jsonl --format \"{question} {answer}\" --special USER: -o "
        "tokenizer.json\n",
    .add = add_train,
};

constexpr const Command* kCommands[] = {&kTrain};

Action add(CLI::App& app) { return add_commands(app, kCommands); }

}  // namespace

extern const Command tokenizer_command;
const Command tokenizer_command = {
    .name = "tokenizer",
    .summary = "Make a tokenizer from text",
    .details = "",
    .examples = "  smelt tokenizer train books/*.txt --vocab 4096 -o tokenizer.json\n",
    .add = add,
};

}  // namespace smelt
