// All that a training run needs before its first step: the tokenizer, the texts as token ids, the model's shape. Called
// by train_model.cc; knows no tensors. What is wrong with the data is found here.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/progress.h"
#include "corpus/token_store.h"
#include "models/canonical.h"
#include "tokenizers/tokenizer.h"
#include "train/train_config.h"
#include "train/work_folder.h"

namespace smelt {

struct PreparedRun {
  std::optional<CanonicalModel> start;  // in Hugging Face's terms; nothing: the model is new
  Metadata config_json;
  ModelConfig model;
  std::vector<Attachment> attachments;  // of the folder to be written: the tokenizer's files
  std::shared_ptr<const Tokenizer> tokenizer;
  TokenStore training, held_out;
  int64_t n_window = 0;
};

// What the work folder holds of an earlier start is used again.
Result<PreparedRun> prepare_run(const TrainConfig& config, const WorkFolder& work, const JobControl& job);

}  // namespace smelt
