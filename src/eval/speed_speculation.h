// What speculative decoding gains on this machine where 80 % of the guesses are right, and costs where none is: a
// recorded text is guessed (runtime/speculative_replay.h), so that the model's own quality plays no part. Called by
// speed.cc.
#pragma once

#include "eval/speed.h"

namespace smelt {

Result<std::vector<SpeculationMeasure>> measure_speculation(const LoadedModel& model, const SpeedOptions& options,
                                                            const JobControl& job);

}  // namespace smelt
