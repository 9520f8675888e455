// smelt make-random: random weights in the shape of a known model, to measure speed with.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "base/text.h"
#include "base/units.h"
#include "compress/mix_rules.h"
#include "compress/random_model.h"
#include "compress/random_shape.h"

namespace smelt {
namespace {

struct RandomArguments {
  std::string output;
  RandomModelOptions options;
  int64_t n_threads = 0, seed = 1;
  bool force = false;
};

Status run_make_random(RandomArguments& arguments) {
  RandomModelOptions& options = arguments.options;
  options.overwrite = arguments.force ? Overwrite::replace : Overwrite::refuse;
  options.n_threads = static_cast<int>(arguments.n_threads);
  options.seed = static_cast<uint64_t>(arguments.seed);
  const auto start = std::chrono::steady_clock::now();
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto plan = make_random_model(arguments.output, options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!plan) return job_error(plan.error(), arguments.output);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  uint64_t values = 0;
  for (const TensorPlan& tensor : plan->tensors) values += static_cast<uint64_t>(tensor.shape.values());
  return print(fmt::format("{}: {} parameters at random, {}, {:.2f} bits per weight, {}, peak memory {}\n",
                           escape_for_display(arguments.output, 4096), format_count(values),
                           format_bytes(plan->file_bytes), plan->bits_per_weight, format_duration(seconds),
                           format_bytes(peak_rss_bytes())));
}

Action add(CLI::App& app) {
  auto arguments = std::make_shared<RandomArguments>();
  app.add_option("OUTPUT", arguments->output, "GGUF file to write")->required()->type_name("FILE");
  add_choice(
      app, "--shape", arguments->options.shape, random_shape_names(),
      [](const std::string& name) { return find_random_shape(name).has_value(); }, "the model whose shape it has")
      ->required();
  add_choice(
      app, "--type", arguments->options.type, quantize_type_names(),
      [](const std::string& name) { return find_mix(name).has_value(); },
      "types of its tensors: those that 'smelt quantize' gives a model of that shape (default Q4_K_M)");
  add_int(app, "--seed", arguments->seed, {0}, "of the random numbers (default 1)");
  app.add_flag("--force", arguments->force, "replace OUTPUT if it exists");
  add_threads(app, arguments->n_threads);
  return [arguments] { return run_make_random(*arguments); };
}

}  // namespace

extern const Command make_random_command;
const Command make_random_command = {
    .name = "make-random",
    .summary = "Write a model of random weights in a known shape, to measure speed with",
    .details =
        "It loads, here and in llama.cpp, and computes as a real one of that shape and type would; what it says has no "
        "meaning. Weights are normal with standard deviation 0.02; blocks of quantized types are drawn from a stock of "
        "262,144 values encoded once. The file depends on shape, type and seed alone.",
    .examples =
        "  smelt make-random --shape llama-3.2-1b --type Q4_K_M random.gguf\n"
        "  smelt make-random --shape qwen2.5-0.5b --type Q8_0 random.gguf --seed 2 --force\n",
    .add = add,
};

}  // namespace smelt
