// A checkpoint opened for measuring: the model as the reference computes it, its tokenizer, and its tensors in GGUF's
// terms.
#pragma once

#include <memory>
#include <string>

#include "models/canonical.h"
#include "runtime/generate.h"

namespace smelt {

struct SourceModel {
  std::shared_ptr<const Checkpoint> checkpoint;
  LoadedModel loaded;  // Compute::f32
  CanonicalModel canonical;
};
Result<SourceModel> open_source_model(const std::string& path);

}  // namespace smelt
