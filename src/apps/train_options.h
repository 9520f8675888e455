// The options of `smelt train`, for the command here, which hands them on, and for that of smelt-train, which obeys.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
}

namespace smelt {

struct TrainArguments {
  std::string config, output, data_folder;
  int64_t n_threads = 0;
  bool resume = false, force = false;
};

void add_train_options(CLI::App& app, TrainArguments& arguments);
// The same as words of a command line.
std::vector<std::string> train_words(const TrainArguments& arguments);

inline constexpr const char* kTrainSummary = "Train a model from text: new, or from one that is there";
inline constexpr const char* kTrainDetails =
    "CONFIG says of what shape the model is, what texts it reads and how (docs/training.md). Texts to judge it by are "
    "set apart first. OUTPUT becomes a Hugging Face folder with the logs of the run; OUTPUT.work holds checkpoints "
    "until "
    "then, from which --resume goes on.";
inline constexpr const char* kTrainExamples =
    "  smelt train --config recipes/models/books-3m.toml --data-dir corpora/ --out my-model\n"
    "  smelt train --config recipes/models/books-3m.toml --data-dir corpora/ --out my-model --resume\n";

// Becomes the program smelt-train, which stands beside this one or on PATH, with these words; returns only if it
// cannot.
Error become_trainer(const std::vector<std::string>& words);

}  // namespace smelt
