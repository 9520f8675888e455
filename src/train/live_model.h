// Weights in memory as a model of the other floors: for the runtime to write samples with, and to be exported as a
// Hugging Face folder. Called by the trainer; knows no tensors of libtorch.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "formats/checkpoint.h"
#include "runtime/generate.h"
#include "tensor/tensor_view.h"

namespace smelt {

struct LiveTensor {
  std::string name;  // Hugging Face's
  Shape shape;
  const float* values = nullptr;  // which must outlive what is made of it
};

struct LiveModel {
  Metadata config_json;
  std::vector<Attachment> attachments;  // tokenizer.json, …
  std::vector<LiveTensor> tensors;

  // In place of one of that name, if there is one.
  void attach(const std::string& name, std::string bytes);
  std::shared_ptr<const Checkpoint> checkpoint() const;
};

// The configuration alone.
Result<ModelConfig> config_of(const Metadata& config_json);

// What the model writes after `prompt` (temperature 0.8, a fixed seed).
Result<std::string> write_sample(const LiveModel& model, const std::shared_ptr<const Tokenizer>& tokenizer,
                                 const std::string& prompt, int64_t n_tokens, int n_threads);

// The folder, with the attachments; matrices in `type`.
Status export_model(const LiveModel& model, const std::string& output, DType type, Overwrite overwrite,
                    const JobControl& job);

}  // namespace smelt
