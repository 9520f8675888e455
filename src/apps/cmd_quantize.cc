// smelt quantize: a checkpoint into a smaller GGUF file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <nlohmann/json.hpp>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/terminal.h"
#include "base/text.h"
#include "base/units.h"
#include "compress/mix_rules.h"
#include "compress/override_rules.h"
#include "compress/quantize_model.h"

namespace smelt {
namespace {

struct QuantizeArguments {
  std::string input, output;
  QuantizeOptions options;
  std::vector<std::string> overrides;
  DType output_type = DType::f16;
  const CLI::Option* keep_output = nullptr;
  int64_t n_threads = 0;
  bool force = false, dry_run = false, json = false;
};

std::string shorter_by(uint64_t before, uint64_t after) {
  return after == 0 ? ""
                    : fmt::format("{:.2f} times smaller", static_cast<double>(before) / static_cast<double>(after));
}

// Times are absent in a dry run.
struct Spent {
  double seconds = 0;
  uint64_t peak_bytes = 0;
};

Status print_json(const QuantizePlan& plan, const Spent* spent) {
  nlohmann::ordered_json out = {{"source_bytes", plan.source_bytes},
                                {"file_bytes", plan.file_bytes},
                                {"bits_per_weight", plan.bits_per_weight},
                                {"buffer_bytes", plan.peak_memory_bytes}};
  if (spent != nullptr) {
    out["seconds"] = spent->seconds;
    out["peak_memory_bytes"] = spent->peak_bytes;
  }
  auto& tensors = out["tensors"] = nlohmann::ordered_json::array();
  for (const TensorPlan& tensor : plan.tensors) {
    tensors.push_back(
        {{"name", tensor.name},
         {"shape", std::vector<int64_t>(tensor.shape.dims.begin(), tensor.shape.dims.begin() + tensor.shape.rank)},
         {"from", dtype_name(tensor.from)},
         {"to", dtype_name(tensor.to)},
         {"source_bytes", tensor.bytes_from},
         {"bytes", tensor.bytes_to},
         {"note", tensor.note}});
  }
  return print(out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

Status print_table(const QuantizePlan& plan) {
  size_t name_width = 6, shape_width = 5;
  for (const TensorPlan& tensor : plan.tensors) {
    name_width = std::max(name_width, escape_for_display(tensor.name).size());
    shape_width = std::max(shape_width, tensor.shape.to_string().size());
  }
  SMELT_TRY(print(fmt::format("{:<{}}  {:>{}}  {:<6} {:<6}  {:>9} {:>9}  {}\n", "tensor", name_width, "shape",
                              shape_width, "from", "to", "before", "after", "why")));
  for (const TensorPlan& tensor : plan.tensors) {
    std::string line =
        fmt::format("{:<{}}  {:>{}}  {:<6} {:<6}  {:>9} {:>9}  {}", escape_for_display(tensor.name), name_width,
                    tensor.shape.to_string(), shape_width, dtype_name(tensor.from), dtype_name(tensor.to),
                    format_bytes(tensor.bytes_from), format_bytes(tensor.bytes_to), tensor.note);
    line.erase(line.find_last_not_of(' ') + 1);
    SMELT_TRY(print(line + "\n"));
  }
  return print(fmt::format("{} tensors: {} before, {} after ({}), {:.2f} bits per weight; buffers {}\n",
                           plan.tensors.size(), format_bytes(plan.source_bytes), format_bytes(plan.file_bytes),
                           shorter_by(plan.source_bytes, plan.file_bytes), plan.bits_per_weight,
                           format_bytes(plan.peak_memory_bytes)));
}

Status dry_run(const QuantizeArguments& arguments) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(arguments.input));
  SMELT_ASSIGN(const CanonicalModel model, to_gguf_terms(std::make_shared<const Checkpoint>(std::move(opened))));
  SMELT_ASSIGN(const QuantizePlan plan, plan_quantization(model, arguments.options));
  return arguments.json ? print_json(plan, nullptr) : print_table(plan);
}

Status quantize(const QuantizeArguments& arguments) {
  const auto start = std::chrono::steady_clock::now();
  auto bar = std::make_unique<ProgressBar>(stderr);
  auto plan = quantize_model(arguments.input, arguments.output, arguments.options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!plan) return job_error(plan.error(), arguments.output);
  const Spent spent{std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), peak_rss_bytes()};
  if (arguments.json) return print_json(*plan, &spent);
  return print(fmt::format("{}: {} → {} ({}), {:.2f} bits per weight, {}, peak memory {}\n",
                           escape_for_display(arguments.output, 4096), format_bytes(plan->source_bytes),
                           format_bytes(plan->file_bytes), shorter_by(plan->source_bytes, plan->file_bytes),
                           plan->bits_per_weight, format_duration(spent.seconds), format_bytes(spent.peak_bytes)));
}

Status run_quantize(QuantizeArguments& arguments) {
  QuantizeOptions& options = arguments.options;
  for (const std::string& text : arguments.overrides) {
    SMELT_ASSIGN(auto rule, parse_override(text).with_context("--override"));
    options.overrides.push_back(std::move(rule));
  }
  if (arguments.keep_output->count() > 0) options.output_type = arguments.output_type;
  options.overwrite = arguments.force ? Overwrite::replace : Overwrite::refuse;
  options.n_threads = static_cast<int>(arguments.n_threads);
  if (arguments.dry_run) return dry_run(arguments);
  if (arguments.output.empty()) return usage_error("OUTPUT is required, unless with --dry-run");

  return quantize(arguments);
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<QuantizeArguments>();
  add_model(app, arguments->input);
  app.add_option("OUTPUT", arguments->output, "GGUF file to write")->type_name("FILE");
  add_choice(
      app, "--type", arguments->options.type, quantize_type_names(),
      [](const std::string& name) { return find_mix(name).has_value(); },
      "how small: a mix of types under llama.cpp's name (default Q4_K_M)");
  add_strings(
      app, "--override", arguments->overrides, "REGEX=TYPE",
      "type of the tensors whose GGUF name has a match of REGEX; the first that matches counts; may be repeated");
  arguments->keep_output = add_dtype(app, "--keep-output", arguments->output_type, {},
                                     "type of the output head (or of the embedding where they are one)");
  app.add_option("--imatrix", arguments->options.imatrix,
                 "importances of the inputs, made by 'smelt imatrix' or llama.cpp: weights that matter are kept better")
      ->type_name("FILE");
  app.add_flag("--allow-requantize", arguments->options.allow_requantize,
               "take a model that is quantized already; a second loss is added to the first");
  app.add_flag("--force", arguments->force, "replace OUTPUT if it exists");
  app.add_flag("--dry-run", arguments->dry_run, "only print the table of tensors, types and sizes");
  add_threads(app, arguments->n_threads);
  add_json(app, arguments->json);
  return [arguments] { return run_quantize(*arguments); };
}

}  // namespace

extern const Command quantize_command;
const Command quantize_command = {
    .name = "quantize",
    .summary = "Make a model smaller: fewer bits per weight, in a GGUF file",
    .details =
        "OUTPUT appears whole or not at all, and an existing file is kept unless --force is given. Memory is "
        "bounded by the largest tensor.",
    .examples =
        "  smelt quantize my-model/ small.gguf\n"
        "  smelt quantize big.gguf small.gguf --type Q3_K_M --override 'ffn_down=Q5_K' --keep-output q8_0\n"
        "  smelt quantize big.gguf small.gguf --type Q3_K_M --imatrix big.imatrix.gguf\n"
        "  smelt quantize big.gguf --type IQ4_XS --dry-run\n",
    .add = add,
};

}  // namespace smelt
