// smelt inspect: what a model is, what it needs, and whether the whole file is sound.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command.h"
#include "apps/inspection.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/value_check.h"

namespace smelt {
namespace {

struct InspectArguments {
  std::string model;
  InspectionOptions options;
  int64_t n_threads = 0;
  bool json = false, quick = false;
};

Status run_inspect(const InspectArguments& arguments) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(arguments.model));
  Inspection inspection = inspect(std::make_shared<const Checkpoint>(std::move(opened)), arguments.options);
  if (!arguments.quick && !inspection.fault) {
    ProgressBar bar(stderr);
    Status sound =
        check_values(*inspection.checkpoint, static_cast<int>(arguments.n_threads), {&bar, &interrupt_token()});
    if (!sound && sound.error().kind == ErrorKind::cancelled) return sound;
    inspection.values_checked = true;
    if (!sound) inspection.fault = sound.error();
  }
  SMELT_TRY(
      print(arguments.json ? format_json(inspection, arguments.options) : format_text(inspection, arguments.options)));
  if (!inspection.fault) return {};
  SMELT_TRY(flush_output());
  return *inspection.fault;
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<InspectArguments>();
  add_model(app, arguments->model);
  app.add_flag("--tensors", arguments->options.tensors, "list every tensor");
  app.add_flag("--quick", arguments->quick, "do not read the values of all weights");
  add_int(app, "-c,--ctx", arguments->options.n_ctx, {1}, "context to tell the memory for (default: as trained)");
  add_kv_type(app, arguments->options.kv_type, "type of the KV cache (default f16)");
  add_threads(app, arguments->n_threads);
  add_json(app, arguments->json);
  return [arguments] { return run_inspect(*arguments); };
}

}  // namespace

extern const Command inspect_command;
const Command inspect_command = {
    .name = "inspect",
    .summary = "Show architecture, sizes, tokenizer and memory needed, and check the whole file",
    .details =
        "Every header field, tensor place and size, the tokenizer and (unless --quick) every value is checked; a "
        "fault is told after what could be read, with exit code 1.",
    .examples =
        "  smelt inspect small.gguf\n"
        "  smelt inspect small.gguf --tensors\n"
        "  smelt inspect small.gguf -c 4096 --json\n",
    .add = add,
};

}  // namespace smelt
