// A model some of whose tensors have been replaced by quantized ones: what comes after them is computed from what they
// really say. Built over a source in GGUF's dialect.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "shrink/source_model.h"

namespace smelt {

struct NewTensor {
  DType dtype = DType::f32;
  std::shared_ptr<const std::vector<std::byte>> bytes;
};
using NewTensors = std::map<size_t, NewTensor>;  // by index into CanonicalModel::tensors

// In f32 arithmetic over the new weights. Cheap: nothing is copied but vectors.
Result<std::shared_ptr<const Model>> load_with(const SourceModel& source, const NewTensors& changed);

}  // namespace smelt
