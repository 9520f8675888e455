// smelt imatrix: statistics of a model's activations on a text, for quantize --imatrix and for llama.cpp.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/text.h"
#include "formats/imatrix.h"
#include "shrink/imatrix.h"

namespace smelt {
namespace {

struct ImatrixArguments {
  std::string model, text_file, output;
  ImatrixOptions options;
  int64_t n_threads = 0;
  bool force = false, json = false;
};

Status run_imatrix(ImatrixArguments& arguments) {
  arguments.options.n_threads = static_cast<int>(arguments.n_threads);
  SMELT_ASSIGN(const std::string text, read_text_file(arguments.text_file));
  SMELT_ASSIGN(const SourceModel source, open_source_model(arguments.model));
  auto bar = std::make_unique<ProgressBar>(stderr);
  const std::string name = std::filesystem::path(arguments.text_file).filename().string();
  const auto imatrix = measure_imatrix(source, text, name, arguments.options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!imatrix) return imatrix.error();
  SMELT_TRY(save_imatrix(*imatrix, arguments.output, arguments.force ? Overwrite::replace : Overwrite::refuse));
  const uint64_t n_tokens = uint64_t{imatrix->n_chunks} * imatrix->chunk_size;
  if (arguments.json) {
    const nlohmann::ordered_json out = {{"tensors", imatrix->entries.size()},
                                        {"windows", imatrix->n_chunks},
                                        {"window_tokens", imatrix->chunk_size},
                                        {"tokens", n_tokens}};
    return print(out.dump(2) + "\n");
  }
  return print(fmt::format("{}: inputs of {} tensors over {} tokens ({} windows of {})\n",
                           escape_for_display(arguments.output, 4096), imatrix->entries.size(), n_tokens,
                           imatrix->n_chunks, imatrix->chunk_size));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ImatrixArguments>();
  add_model(app, arguments->model);
  app.add_option("--text", arguments->text_file, "text to read; '-' is standard input")->required()->type_name("FILE");
  app.add_option("-o,--output", arguments->output, "file to write; llama.cpp's older form if it ends in .dat")
      ->required()
      ->type_name("FILE");
  add_int(app, "-c,--ctx", arguments->options.n_ctx, {2},
          "window in tokens (default: 512, the model's context if that is less)");
  add_int(app, "--windows", arguments->options.max_windows, {1}, "windows at most (default: the whole text)");
  app.add_flag("--force", arguments->force, "replace the output if it exists");
  add_threads(app, arguments->n_threads);
  add_json(app, arguments->json);
  return [arguments] { return run_imatrix(*arguments); };
}

}  // namespace

extern const Command imatrix_command;
const Command imatrix_command = {
    .name = "imatrix",
    .summary = "Measure which weights matter on a text, for 'smelt quantize --imatrix'",
    .details =
        "Runs the model over the text and notes how large the inputs of every weight are. A few ten thousand tokens of "
        "text like that in use are enough; never take the text on which the result will be judged. The file is "
        "llama.cpp's, too.",
    .examples =
        "  smelt imatrix my-model/ --text calibration.txt -o my-model.imatrix.gguf\n"
        "  smelt quantize my-model/ small.gguf --type Q3_K_M --imatrix my-model.imatrix.gguf\n",
    .add = add,
};

}  // namespace smelt
