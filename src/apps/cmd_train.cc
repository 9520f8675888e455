// smelt train: hands over to smelt-train, which alone is linked with libtorch.
#include <CLI/CLI.hpp>
#include <memory>

#include "apps/command.h"
#include "apps/train_options.h"

namespace smelt {
namespace {

Action add(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  add_train_options(app, *arguments);
  return [arguments]() -> Status { return become_trainer(train_words(*arguments)); };
}

}  // namespace

extern const Command train_command;
const Command train_command = {
    .name = "train", .summary = kTrainSummary, .details = kTrainDetails, .examples = kTrainExamples, .add = add};

}  // namespace smelt
