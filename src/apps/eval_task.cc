// smelt eval task: options, and the report. The work is eval/tasks/task.cc's.
#include "apps/eval_task.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/task_places.h"
#include "base/units.h"
#include "eval/tasks/locate.h"

namespace smelt {
namespace {

using nlohmann::ordered_json;

struct TaskArguments {
  std::string model, task, tasks, data, method;
  TaskOptions options;
  int64_t n_threads = 0, n_shots = -1, seed = 0;
  float temperature = 0;
  bool json = false, resume = false, force = false;
};

ordered_json to_json(const TaskReport& report) {
  ordered_json metrics = ordered_json::object();
  for (const TaskMetric& metric : report.metrics)
    metrics[metric.name] = {{"value", metric.estimate.value}, {"stderr", metric.estimate.standard_error}};
  const TaskMetric& first = report.metrics.front();
  return {{"task", report.task},
          {"metric", first.name},
          {"value", first.estimate.value},
          {"stderr", first.estimate.standard_error},
          {"n", report.n_items},
          {"metrics", metrics},
          {"shots", report.n_shots},
          {"samples", report.n_samples},
          {"seed", report.seed},
          {"model_hash", report.model_hash},
          {"data_sha256", report.data_sha256},
          {"resumed", report.n_resumed},
          {"cut", report.n_cut},
          {"seconds", report.seconds}};
}

std::string format_text(const TaskReport& report) {
  std::string out;
  for (const TaskMetric& metric : report.metrics)
    out += fmt::format("{:<22}{:.4f} ± {:.4f}\n", metric.name, metric.estimate.value, metric.estimate.standard_error);
  out += fmt::format("{:<22}{} items, {} examples in front, seed {}, {}\n", report.task, report.n_items, report.n_shots,
                     report.seed, format_duration(report.seconds));
  if (report.n_resumed > 0) out += fmt::format("{:<22}{} items were done before\n", "resumed", report.n_resumed);
  if (report.n_cut > 0)
    out += fmt::format("{:<22}{} prompts are longer than the context and lost their begin\n", "cut", report.n_cut);
  return out;
}

Status finish_options(TaskArguments& arguments) {
  TaskOptions& options = arguments.options;
  options.n_threads = static_cast<int>(arguments.n_threads);
  options.seed = static_cast<uint64_t>(arguments.seed);
  options.temperature = arguments.temperature;
  if (arguments.n_shots >= 0) options.n_shots = arguments.n_shots;
  if (arguments.method == "likelihood") options.method = ChoiceMethod::likelihood;
  if (arguments.method == "constrained") options.method = ChoiceMethod::constrained;
  if (arguments.resume && options.items_path.empty()) return usage_error("--resume needs --items FILE to go on with");
  if (arguments.force) options.items_mode = ItemsMode::replace;
  if (arguments.resume) options.items_mode = ItemsMode::resume;
  return {};
}

Status run(TaskArguments& arguments) {
  SMELT_TRY(finish_options(arguments));
  SMELT_ASSIGN(const TaskInputs inputs,
               load_task_inputs(arguments.task, {task_folders(arguments.tasks), arguments.data}));
  SMELT_ASSIGN(const LoadedModel model, load_model(arguments.model, arguments.options.compute));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report = run_task(model, inputs, arguments.options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report && report.error().kind == ErrorKind::cancelled && !arguments.options.items_path.empty())
    note(fmt::format("smelt: what was done is in {}; --resume goes on", arguments.options.items_path));
  if (!report) return report.error();
  return print(arguments.json ? to_json(*report).dump(2) + "\n" : format_text(*report));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<TaskArguments>();
  TaskOptions& options = arguments->options;
  app.add_option("TASK", arguments->task, "name of a task ('smelt list tasks'), or a definition (.toml)")
      ->required()
      ->type_name("TASK");
  add_model(app, arguments->model);
  app.add_option("--data", arguments->data, "the data file, or the folder that holds the task's files")
      ->type_name("FILE");
  app.add_option("--tasks", arguments->tasks, "folder of more definitions")->type_name("DIR");
  add_int(app, "--limit", options.limit, {1}, "so many items at most, drawn by the seed (default: all)");
  add_int(app, "--shots", arguments->n_shots, {0}, "examples in front of each item (default: the task's)");
  add_int(app, "--seed", arguments->seed, {0}, "of all that is drawn (default 0)");
  app.add_flag("--chat", options.chat, "ask through the model's chat template");
  app.add_option("--method", arguments->method,
                 "of tasks with choices: by the likelihood of each, or written under a constraint")
      ->check(CLI::IsMember({"likelihood", "constrained"}))
      ->type_name("likelihood|constrained");
  add_int(app, "--samples", options.n_samples, {1}, "programs written for each item, for pass@k (default 1)");
  add_float(app, "--temp", arguments->temperature, {.min = 0, .max = 100},
            "temperature of what is written (default 0: always the likeliest token)");
  app.add_flag("--no-sandbox", options.unconfined, "run the model's programs with your own rights, at your risk");
  app.add_option("--items", options.items_path, "write what came of each item here (JSON lines)")->type_name("FILE");
  auto* resume = app.add_flag("--resume", arguments->resume, "go on with the items file of a run that was interrupted");
  app.add_flag("--force", arguments->force, "replace the items file if it exists")->excludes(resume);
  add_int(app, "-c,--ctx", options.n_ctx, {16}, "context in tokens at most (default: the model's)");
  add_kv_type(app, options.kv_type, "type of the KV cache (default f16)");
  add_threads(app, arguments->n_threads);
  add_compute(app, options.compute);
  add_json(app, arguments->json);
  return [arguments] { return run(*arguments); };
}

}  // namespace

const Command eval_task_command = {
    .name = "task",
    .summary = "How well a model does a task: choices, answers, summaries, code",
    .details =
        "A task is a definition (TOML) and its data, which you bring: the definition says which file that is. Figures "
        "are ± one standard error. Programs that the model writes run in a sandbox (bubblewrap): no network, no files "
        "but their own, limits on time, memory and processes.",
    .examples =
        "  smelt eval task banking77 small.gguf --data banking77/\n"
        "  smelt eval task humaneval small.gguf --data HumanEval.jsonl --samples 20 --temp 0.8\n"
        "  smelt eval task my-task.toml small.gguf --limit 200 --shots 3 --json\n"
        "  smelt eval task banking77 small.gguf --data test.csv --items items.jsonl --resume\n",
    .add = add,
};

}  // namespace smelt
