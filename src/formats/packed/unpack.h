// Folders whose weights other tools packed ("quantization_config" in config.json): GPTQ, AWQ, bitsandbytes, … The rest
// of smelt sees plain tensors, decoded one at a time (decoded_tensors.h). Called by hf_folder.cc.
#pragma once

#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/raw_tensor.h"

namespace smelt::packed {

// Fuzz target. Fills parts.tensors from the raw ones, and takes "quantization_config" from parts.metadata, noting what
// was decoded. An unknown method, field or value is refused by name, as is a tensor that does not fit the others.
// parts.files names the files in messages; raw tensors point into their bytes.
Status unpack(Checkpoint::Parts& parts, std::vector<RawTensor> tensors);

}  // namespace smelt::packed
