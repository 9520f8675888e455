// smelt eval: perplexity, kl, save-reference (and task, of eval_task.cc). The figures are made by eval/; here they are
// shown.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "apps/command.h"
#include "apps/eval_reports.h"
#include "apps/eval_task.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/mapped_file.h"
#include "eval/evaluate.h"
#include "eval/reference_file.h"
#include "formats/content.h"

namespace smelt {
namespace {

struct EvalArguments {
  std::string model, reference, text_file;
  EvalOptions options;
  Compute compute = Compute::int8;
  int64_t n_threads = 0;
  bool json = false, force = false;
};

void add_eval_options(CLI::App& app, EvalArguments& arguments) {
  app.add_option("--text", arguments.text_file, "text to read; '-' is standard input")->required()->type_name("FILE");
  add_int(app, "-c,--ctx", arguments.options.n_ctx, {2},
          "window in tokens (default: 512, the model's context if that is less)");
  add_int(app, "--windows", arguments.options.max_windows, {1}, "windows at most (default: the whole text)");
  add_int(app, "--first-scored", arguments.options.first_scored, {0},
          "position in the window from which tokens are scored (default: the second half)");
  add_kv_type(app, arguments.options.kv_type, "type of the KV cache; f32 measures the weights alone (default f16)");
  add_threads(app, arguments.n_threads);
}

struct Inputs {
  LoadedModel model;
  std::string text;
};

Result<Inputs> load_inputs(EvalArguments& arguments) {
  arguments.options.n_threads = static_cast<int>(arguments.n_threads);
  SMELT_ASSIGN(LoadedModel model, load_model(arguments.model, arguments.compute));
  SMELT_ASSIGN(std::string text, read_text_file(arguments.text_file));
  return Inputs{std::move(model), std::move(text)};
}

Status run_perplexity(EvalArguments& arguments) {
  SMELT_ASSIGN(const Inputs inputs, load_inputs(arguments));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report =
      evaluate_perplexity(inputs.model, inputs.text, arguments.options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return report.error();
  return print(arguments.json ? format_json(*report) : format_text(*report));
}

// A reference file is whatever is not one of the forms of a model; its reader says what is wrong with it.
bool is_model(const std::string& path) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return true;
  const auto file = MappedFile::open(path);
  if (!file || (*file)->text().starts_with(kReferenceMagic)) return false;
  if (path.ends_with(".bin")) return true;
  const ContentKind kind = recognise_content((*file)->bytes()).kind;
  return kind == ContentKind::gguf || kind == ContentKind::llama2c_ak42 || kind == ContentKind::safetensors;
}

Result<KlReport> compare(const Inputs& inputs, const EvalArguments& arguments, const JobControl& job) {
  if (!is_model(arguments.reference))
    return evaluate_kl_against_file(inputs.model, arguments.reference, inputs.text, arguments.options, job);
  SMELT_ASSIGN(const LoadedModel reference, load_model(arguments.reference, Compute::f32));
  return evaluate_kl(inputs.model, reference, inputs.text, arguments.options, job);
}

Status run_kl(EvalArguments& arguments) {
  SMELT_ASSIGN(const Inputs inputs, load_inputs(arguments));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report = compare(inputs, arguments, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return report.error();
  return print(arguments.json ? format_json(*report) : format_text(*report));
}

Status run_save_reference(EvalArguments& arguments) {
  arguments.compute = Compute::f32;
  const ReferenceOutput output{arguments.reference, arguments.force ? Overwrite::replace : Overwrite::refuse};
  SMELT_ASSIGN(const Inputs inputs, load_inputs(arguments));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report =
      save_reference(inputs.model, inputs.text, output, arguments.options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return job_error(report.error(), arguments.reference);
  std::error_code ignored;
  const uint64_t file_bytes = std::filesystem::file_size(output.path, ignored);
  return print(arguments.json ? format_json(*report, file_bytes) : format_text(*report, file_bytes));
}

Action add_perplexity(CLI::App& app) {
  auto arguments = std::make_shared<EvalArguments>();
  add_model(app, arguments->model);
  add_eval_options(app, *arguments);
  add_compute(app, arguments->compute);
  add_json(app, arguments->json);
  return [arguments] { return run_perplexity(*arguments); };
}

Action add_kl(CLI::App& app) {
  auto arguments = std::make_shared<EvalArguments>();
  add_model(app, arguments->model);
  app.add_option("--against", arguments->reference, "the reference: a model, or a file of save-reference")
      ->required()
      ->type_name("FILE");
  add_eval_options(app, *arguments);
  add_compute(app, arguments->compute);
  add_json(app, arguments->json);
  return [arguments] { return run_kl(*arguments); };
}

Action add_save_reference(CLI::App& app) {
  auto arguments = std::make_shared<EvalArguments>();
  add_model(app, arguments->model);
  app.add_option("OUTPUT", arguments->reference, "file to write")->required()->type_name("FILE");
  app.add_flag("--force", arguments->force, "replace OUTPUT if it exists");
  add_eval_options(app, *arguments);
  add_json(app, arguments->json);
  return [arguments] { return run_save_reference(*arguments); };
}

constexpr Command kPerplexity = {
    .name = "perplexity",
    .summary = "How well a model foresees a text",
    .details =
        "The text is cut into windows of -c tokens, each begins with the vocabulary's begin token, and the second "
        "half of each is scored: the convention of llama.cpp.",
    .examples =
        "  smelt eval perplexity small.gguf --text book.txt\n"
        "  smelt eval perplexity small.gguf --text book.txt --windows 20 --json\n",
    .add = add_perplexity,
};

constexpr Command kKl = {
    .name = "kl",
    .summary = "How far a model's predictions are from those of a reference",
    .details =
        "Mean Kullback-Leibler divergence with its standard error, agreement of the most likely tokens, and how "
        "the probability of the true token changed. The reference is always computed in f32; a model against itself "
        "shows what --compute int8 costs.",
    .examples =
        "  smelt eval kl small.gguf --against my-model/ --text book.txt\n"
        "  smelt eval kl small.gguf --against my-model.ref --text book.txt --json\n",
    .add = add_kl,
};

constexpr Command kSaveReference = {
    .name = "save-reference",
    .summary = "Store a model's predictions on a text, to compare many models with it",
    .details =
        "Kept are the likely tokens in 16 bits and the sum of the rest: about 3 bytes a token kept, a few kilobytes "
        "for "
        "each token of the text. 'smelt eval kl --against OUTPUT' then needs the same text, and takes the window from "
        "the file.",
    .examples = "  smelt eval save-reference my-model/ my-model.ref --text book.txt\n",
    .add = add_save_reference,
};

constexpr const Command* kCommands[] = {&kPerplexity, &kKl, &kSaveReference, &eval_task_command};

Action add(CLI::App& app) { return add_commands(app, kCommands); }

}  // namespace

extern const Command eval_command;
const Command eval_command = {
    .name = "eval",
    .summary = "Measure what a model knows, and what was lost by making it smaller",
    .details = "",
    .examples =
        "  smelt eval perplexity small.gguf --text book.txt\n"
        "  smelt eval kl small.gguf --against my-model/ --text book.txt\n"
        "  smelt eval save-reference my-model/ my-model.ref --text book.txt\n"
        "  smelt eval task banking77 small.gguf --data banking77/\n",
    .add = add,
};

}  // namespace smelt
