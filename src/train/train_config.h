// train.toml: everything that decides what a training run makes. docs/training.md has the table of its fields.
#pragma once

#include <string>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "corpus/split.h"
#include "tensor/dtype.h"

namespace smelt {

// No text is read more often.
inline constexpr int64_t kMaxEpochs = 4;

struct ScheduleConfig {
  int64_t steps = 0;
  int64_t batch = 16;                             // windows a step, over all processes
  int64_t accumulate = 1;                         // parts that a batch is computed in, one after another
  double learning_rate = 3e-3, final_rate = 0.1;  // the latter as a share of the former
  int64_t warmup = 100;                           // steps
  double weight_decay = 0.1, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  double clip = 1;  // of the gradient's norm; 0: none
  bool bf16 = false;
  uint64_t seed = 1;
  int threads = 0;
};

struct ReportConfig {
  int64_t log_every = 20, evaluate_every = 200, checkpoint_every = 200;  // steps
  int64_t evaluate_tokens = 32768;                                       // at most, while training
  std::vector<std::string> prompts;                                      // of samples, one each at every evaluation
  int64_t sample_tokens = 60;
};

struct TrainConfig {
  std::string name;
  std::string text;  // the whole file
  // Either the model that training starts from, or a new one: config.json's fields.
  std::string start_from;
  Metadata shape;
  int64_t n_ctx = 0;  // of windows; 0: the model's
  // Either a tokenizer.json or the size of one to be trained. Both empty: that of start_from.
  std::string tokenizer_file;
  int64_t n_vocab = 0;
  std::string pre_tokenizer;
  std::vector<std::string> special_tokens;
  Corpus corpus;
  ScheduleConfig schedule;
  ReportConfig report;
  DType output_type = DType::bf16;
};

// Errors are "FILE:LINE: field 'a.b': …". `data_folder`: what the files of [[data]] are relative to; names of other
// files are relative to the configuration's own folder.
Result<TrainConfig> parse_train_config(std::string_view text, const std::string& file_name,
                                       const std::string& data_folder);

}  // namespace smelt
