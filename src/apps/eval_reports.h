// Perplexity and KL reports as text and as JSON. Called by cmd_eval.cc.
#pragma once

#include <string>

#include "eval/evaluate.h"

namespace smelt {

std::string format_text(const PerplexityReport& report);
std::string format_json(const PerplexityReport& report);
std::string format_text(const KlReport& report);
std::string format_json(const KlReport& report);

}  // namespace smelt
