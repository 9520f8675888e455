// Change a checkpoint's container and plain type: GGUF ↔ Hugging Face folder, f32 | f16 | bf16 | q8_0 (q8_0 only to
// GGUF).
#pragma once

#include <string>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace smelt {

struct ConvertOptions {
  DType type = DType::f16;  // matrices; vectors (norms) stay f32 in GGUF
  Overwrite overwrite = Overwrite::refuse;
  bool allow_requantize = false;  // sources with quantized tensors are dequantized only if asked
  int n_threads = 0;
};

struct ConvertReport {
  uint64_t n_tensors = 0;
  uint64_t source_bytes = 0, output_bytes = 0;
};

// `output` ending in ".gguf" makes a GGUF file, otherwise a folder (written under a temporary name and renamed whole).
Result<ConvertReport> convert_model(const std::string& input, const std::string& output, const ConvertOptions& options,
                                    const JobControl& job);

}  // namespace smelt
