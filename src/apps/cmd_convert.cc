// smelt convert: another container or plain type, nothing lost but precision that was asked away.
#include "compress/convert_model.h"
#include "compress/repack_model.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/text.h"
#include "base/units.h"

namespace smelt {
namespace {

struct ConvertArguments {
  std::string input, output;
  ConvertOptions options;
  CLI::Option* type_option = nullptr;
  std::string layout;
  int64_t n_threads = 0;
  bool force = false, json = false;
};

Result<ConvertReport> convert(const ConvertArguments& arguments, const JobControl& job) {
  if (arguments.layout.empty()) return convert_model(arguments.input, arguments.output, arguments.options, job);
  if (arguments.type_option->count() > 0) {
    return usage_error("--layout keeps the types of a file and cannot be given with --type; convert twice");
  }
  const Layout layout = arguments.layout == "packed" ? Layout::rows16 : Layout::rows;
  return repack_model(arguments.input, arguments.output, layout, arguments.options.overwrite, job);
}

Status run_convert(ConvertArguments& arguments) {
  arguments.options.overwrite = arguments.force ? Overwrite::replace : Overwrite::refuse;
  arguments.options.n_threads = static_cast<int>(arguments.n_threads);
  auto bar = std::make_unique<ProgressBar>(stderr);
  auto report = convert(arguments, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return job_error(report.error(), arguments.output);
  if (arguments.json) {
    const nlohmann::ordered_json out = {
        {"tensors", report->n_tensors}, {"source_bytes", report->source_bytes}, {"output_bytes", report->output_bytes}};
    return print(out.dump(2) + "\n");
  }
  return print(fmt::format("{}: {} tensors, {} → {}\n", escape_for_display(arguments.output, 4096), report->n_tensors,
                           format_bytes(report->source_bytes), format_bytes(report->output_bytes)));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<ConvertArguments>();
  add_model(app, arguments->input);
  app.add_option("OUTPUT", arguments->output, "NAME.gguf for a GGUF file, any other name for a Hugging Face folder")
      ->required()
      ->type_name("FILE");
  arguments->type_option =
      add_dtype(app, "--type", arguments->options.type, {DType::f32, DType::f16, DType::bf16, DType::q8_0},
                "type of the matrices (default f16); q8_0 only in GGUF files");
  const auto is_layout = [](const std::string& text) { return text == "packed" || text == "stock"; };
  add_choice(app, "--layout", arguments->layout, {"packed", "stock"}, is_layout,
             "of a quantized GGUF file, types kept: packed is used where it is mapped, without repacking at load, "
             "by smelt only; stock is that of all programs");
  app.add_flag("--allow-requantize", arguments->options.allow_requantize,
               "take a model that is quantized already: its values are kept as far as the type can hold them");
  app.add_flag("--force", arguments->force, "replace OUTPUT if it exists");
  add_threads(app, arguments->n_threads);
  add_json(app, arguments->json);
  return [arguments] { return run_convert(*arguments); };
}

}  // namespace

extern const Command convert_command;
const Command convert_command = {
    .name = "convert",
    .summary = "Change the container, GGUF or Hugging Face, and the plain type of the weights",
    .details = "Metadata, tokenizer, chat template and licence travel along. OUTPUT appears whole or not at all.",
    .examples =
        "  smelt convert my-model/ my-model.gguf --type bf16\n"
        "  smelt convert my-model.gguf my-model-again/ --type f16\n"
        "  smelt convert small.gguf small-packed.gguf --layout packed\n"
        "  smelt convert stories260K.bin stories.gguf --type f32\n",
    .add = add,
};

}  // namespace smelt
