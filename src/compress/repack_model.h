// Lays out a quantized GGUF file for the int8 kernels, 16 rows interleaved (tensor/rows16.h), or back. Types and values
// stay as they are. A file laid out so is used where it is mapped: nothing is repacked or copied at load.
#pragma once

#include <string>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "compress/convert_model.h"
#include "tensor/tensor_view.h"

namespace smelt {

// `input` is a GGUF file with at least one matrix of a type that has the layout; an embedding that is only looked up
// stays as rows. Refuses input == output. Interrupted: nothing is left behind.
Result<ConvertReport> repack_model(const std::string& input, const std::string& output, Layout layout,
                                   Overwrite overwrite, const JobControl& job);

}  // namespace smelt
