// A GGUF file with random weights in the shape of a known model, for measuring speed and memory: nothing it says has a
// meaning. `smelt make-random`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "compress/quantize_model.h"

namespace smelt {

struct RandomModelOptions {
  std::string shape;            // a name of shapes.inc
  std::string type = "Q4_K_M";  // a mix of mixes.inc
  uint64_t seed = 1;
  Overwrite overwrite = Overwrite::refuse;
  int n_threads = 0;
};

std::vector<std::string> random_shape_names();
// Types of the tensors are those that quantize_model gives a model of that shape. The bytes depend on shape, type and
// seed only. Memory: a few MiB beside the vocabulary. The plan's source_bytes are 0.
Result<QuantizePlan> make_random_model(const std::string& output, const RandomModelOptions& options,
                                       const JobControl& job);

}  // namespace smelt
