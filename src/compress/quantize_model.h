// Quantize a whole checkpoint into a GGUF file, tensor by tensor: memory is bounded by the largest tensor.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "compress/importance.h"
#include "models/canonical.h"
#include "tensor/dtype.h"

namespace smelt {

struct QuantizeOptions {
  std::string type = "Q4_K_M";                             // a mix of compress/mixes.inc, llama.cpp's names
  std::vector<std::pair<std::string, DType>> overrides{};  // regex on the tensor's GGUF name → type; first match wins
  std::optional<DType> output_type{};                      // --keep-output: type of the output head
  bool allow_requantize = false;                           // sources that are already quantized are refused otherwise
  std::string imatrix{};  // --imatrix: file of importances (formats/imatrix.h), or none
  Overwrite overwrite = Overwrite::refuse;
  int n_threads = 0;
};

struct TensorPlan {
  std::string name;
  DType from, to;
  Shape shape;
  uint64_t bytes_from = 0, bytes_to = 0;
  std::string note;  // why it is not the mix's type: "rows of 172 are not a multiple of 32: F16"
};

struct QuantizePlan {
  std::vector<TensorPlan> tensors;
  uint64_t file_bytes = 0;  // of the output
  uint64_t source_bytes = 0;
  double bits_per_weight = 0;  // over all tensors
  uint64_t peak_memory_bytes = 0;
  std::shared_ptr<const Importance> importance;  // null: errors of all weights count alike
};

std::vector<std::string> quantize_type_names();  // all mixes, in the order of mixes.inc
// Sizes without work (--dry-run).
Result<QuantizePlan> plan_quantization(const CanonicalModel& model, const QuantizeOptions& options);
// Refuses input == output. Interrupted: nothing is left behind.
Result<QuantizePlan> quantize_model(const std::string& input, const std::string& output, const QuantizeOptions& options,
                                    const JobControl& job);

}  // namespace smelt
