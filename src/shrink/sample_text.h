// Calibration text that the model writes itself, for when there is none of its kind at hand (as in LLM-QAT: Liu et al.,
// arXiv 2305.17888).
#pragma once

#include <string>

#include "base/progress.h"
#include "runtime/generate.h"

namespace smelt {

// About n_tokens in passages of half a context, each from the begin token, or a token drawn evenly where there is none.
// The same text for the same seed.
Result<std::string> sample_text(const LoadedModel& model, int64_t n_tokens, uint64_t seed, int n_threads,
                                const JobControl& job);

}  // namespace smelt
