// A model in Hugging Face terms into a folder: config.json, model.safetensors and the small files. Called by
// convert_model.cc.
#pragma once

#include <cstdint>
#include <string>

#include "base/progress.h"
#include "base/result.h"
#include "compress/convert_model.h"
#include "models/canonical.h"

namespace smelt {

// Matrices get options.type; vectors keep their own float type, so that nothing is lost on the way back.
Result<ConvertReport> write_hf_folder(const CanonicalModel& model, const std::string& output,
                                      const ConvertOptions& options, const JobControl& job);

}  // namespace smelt
