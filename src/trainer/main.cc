// smelt-train: the commands of `smelt` that need libtorch. `smelt train` becomes this program.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <memory>

#include "apps/command_line.h"
#include "apps/output.h"
#include "apps/signals.h"
#include "apps/train_options.h"
#include "base/text.h"
#include "base/units.h"
#include "train/train_model.h"

namespace smelt {
namespace {

Status run_train(const TrainArguments& arguments) {
  const TrainOptions options{.config_file = arguments.config,
                             .output = arguments.output,
                             .data_folder = arguments.data_folder,
                             .n_threads = static_cast<int>(arguments.n_threads),
                             .resume = arguments.resume,
                             .overwrite = arguments.force ? Overwrite::replace : Overwrite::refuse};
  auto bar = std::make_unique<ProgressBar>(stderr);
  const auto report = train_model(options, {bar.get(), &interrupt_token()});
  bar.reset();
  if (!report) return report.error();
  return print(
      fmt::format("{}: {} parameters, {} steps, {} tokens read ({:.2f} times through the text) in {}\n"
                  "held-out text: {:.4f} nats a token, perplexity {:.3f}, {:.4f} bits per byte, over {} tokens\n",
                  escape_for_display(arguments.output, 4096), format_count(static_cast<uint64_t>(report->n_parameters)),
                  report->steps, format_count(static_cast<uint64_t>(report->n_tokens)), report->epochs,
                  format_duration(report->seconds), report->held_out_loss, std::exp(report->held_out_loss),
                  report->bits_per_byte, report->held_out_tokens));
}

Action add_train(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  add_train_options(app, *arguments);
  return [arguments] { return run_train(*arguments); };
}

constexpr Command kTrain = {
    .name = "train", .summary = kTrainSummary, .details = kTrainDetails, .examples = kTrainExamples, .add = add_train};
constexpr const Command* kCommands[] = {&kTrain};

constexpr Program kProgram = {.name = "smelt-train",
                              .description = "smelt-train has the commands of smelt that train models.",
                              .details = "They are meant to be called as 'smelt train', which becomes this program.",
                              .examples = kTrainExamples,
                              .commands = kCommands};

}  // namespace
}  // namespace smelt

int main(int argc, char** argv) { return smelt::run_command_line(smelt::kProgram, argc, argv); }
