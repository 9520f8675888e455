// A planned model into a GGUF file: shared by quantize_model.cc and convert_model.cc.
#pragma once

#include <string>
#include <vector>

#include "base/metadata.h"
#include "base/progress.h"
#include "base/result.h"
#include "compress/mix_rules.h"
#include "compress/quantize_model.h"
#include "formats/gguf.h"
#include "models/canonical.h"

namespace smelt {

// The model's metadata with general.file_type, general.quantization_version and, where there is one, what importance
// matrix made the output.
Metadata output_metadata(const CanonicalModel& model, const MixInfo& mix, const Importance* importance = nullptr);
std::vector<TensorDeclaration> declare_tensors(const QuantizePlan& plan);

// A usage error if `output` is one of the files, or the folder, that the checkpoint is read from.
Status refuse_same_file(const Checkpoint& checkpoint, const std::string& input, const std::string& output);

// Writes the planned tensors. Whole or not at all.
Status write_gguf(const CanonicalModel& model, const QuantizePlan& plan, const std::string& output,
                  const QuantizeOptions& options, const JobControl& job);

}  // namespace smelt
