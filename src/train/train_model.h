// The story of a training run: configuration in, a model of its own out. train_model.cc is the one page that shows it.
#pragma once

#include <string>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"

namespace smelt {

struct TrainOptions {
  std::string config_file;
  std::string output;       // folder to write
  std::string data_folder;  // what the configuration's files are relative to; empty: the current folder
  int n_threads = 0;        // 0: the configuration's, or else all processors
  bool resume = false;      // go on with OUTPUT.work
  Overwrite overwrite = Overwrite::refuse;
};

struct TrainReport {
  int64_t n_parameters = 0, steps = 0, n_tokens = 0;  // read in training
  double epochs = 0;
  double held_out_loss = 0, bits_per_byte = 0;  // of all held-out text, up to a limit
  int64_t held_out_tokens = 0;
  double seconds = 0;
};

// Checkpoints go to OUTPUT.work; a run that is killed goes on from the newest, and its weights are, bit for bit, those
// of a run that was not (on one machine with the same number of threads). Interrupted, it writes a checkpoint first.
Result<TrainReport> train_model(const TrainOptions& options, const JobControl& job);

}  // namespace smelt
