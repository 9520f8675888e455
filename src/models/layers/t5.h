// Encoder–decoders with biases of relative positions (T5). Called by the families' files.
#pragma once

#include <memory>

#include "models/family.h"

namespace smelt {

Result<std::shared_ptr<const Model>> load_t5(std::shared_ptr<const Checkpoint> checkpoint, ModelConfig config,
                                             Compute compute, const ModelFamily& family);

}  // namespace smelt
