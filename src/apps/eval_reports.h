// Perplexity and KL reports as text and as JSON. Called by cmd_eval.cc.
#pragma once

#include <cstdint>
#include <string>

#include "eval/evaluate.h"

namespace smelt {

std::string format_text(const PerplexityReport& report);
std::string format_json(const PerplexityReport& report);
// With the size of the reference file that was written.
std::string format_text(const PerplexityReport& report, uint64_t file_bytes);
std::string format_json(const PerplexityReport& report, uint64_t file_bytes);
std::string format_text(const KlReport& report);
std::string format_json(const KlReport& report);

}  // namespace smelt
