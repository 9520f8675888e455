// Figures of `smelt bench` as text and as JSON. Called by cmd_bench.cc.
#pragma once

#include <span>
#include <string>

#include "eval/speed.h"

namespace smelt {

std::string format_speed_text(const SpeedReport& report);
// The keys of one report at the top; of several an array `runs` of such objects (docs/json.md).
std::string format_speed_json(const std::string& path, const SpeedOptions& options,
                              std::span<const SpeedReport> reports);

}  // namespace smelt
