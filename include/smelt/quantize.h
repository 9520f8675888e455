// Shrink a model: its weights in fewer bits, as a GGUF file. What was lost is measured by smelt/evaluate.h.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "smelt/control.h"
#include "smelt/result.h"

namespace smelt {

struct QuantizeRequest {
  std::string input{};          // whatever TextModel::open takes
  std::string output{};         // a new file, "….gguf"
  std::string type = "Q4_K_M";  // one of quantize_types()
  // (regular expression on a tensor's GGUF name, element type such as "Q6_K"); the first that matches decides.
  std::vector<std::pair<std::string, std::string>> overrides{};
  std::string output_head_type{};  // element type of the output head; empty: as the type has it
  bool allow_requantize = false;   // inputs that are quantized already are refused otherwise: losses would add up
  bool replace_output = false;     // an existing output file is refused otherwise
  int n_threads = 0;               // 0: the processors this process may use
};

struct QuantizedTensor {
  std::string name{};                  // GGUF's
  std::string type_from{}, type_to{};  // element types: "F16", "Q4_K"
  uint64_t bytes_from = 0, bytes_to = 0;
  std::string note{};  // why it is not the type asked for: "rows of 172 are not a multiple of 32: F16"
};

struct QuantizeSummary {
  std::vector<QuantizedTensor> tensors{};
  uint64_t source_bytes = 0;       // of the input's tensors
  uint64_t file_bytes = 0;         // of the output
  double bits_per_weight = 0;      // over all tensors of the output
  uint64_t peak_memory_bytes = 0;  // planned: the largest tensor decides, not the model
};

// The mixes of element types known here, largest first: "F32", … "Q4_K_M", … "Q2_K_S".
std::vector<std::string> quantize_types();

// What quantize() would write, without reading weights or writing anything.
Result<QuantizeSummary> plan_quantize(const QuantizeRequest& request);

// Reads the input tensor by tensor and writes the output, which appears whole or not at all. Unknown types, bad
// expressions and output == input are usage errors.
Result<QuantizeSummary> quantize(const QuantizeRequest& request, const JobControl& job = {});

}  // namespace smelt
