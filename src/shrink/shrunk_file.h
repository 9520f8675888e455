// The file of a shrunk model.
#pragma once

#include "compress/quantize_model.h"
#include "shrink/round_model.h"

namespace smelt {

// The plan of quantizing with these types, its size included; sets the type and the overrides of `options`.
Result<QuantizePlan> plan_types(const SourceModel& source, const TypeChoice& types, QuantizeOptions& options);
// Tensors that are not among the rounded ones are written as the plan has them.
Status write_shrunk(const SourceModel& source, const QuantizePlan& plan, const NewTensors& rounded,
                    const std::string& output, const QuantizeOptions& options, const JobControl& job);

}  // namespace smelt
