// The record of `smelt shrink` as JSON, and as a page to look at: one HTML file that needs nothing else.
#pragma once

#include <string>

#include "shrink/shrink_model.h"

namespace smelt {

std::string shrink_json(const ShrinkReport& report, const std::string& output);
// Its numbers are those of shrink_json.
std::string shrink_html(const ShrinkReport& report, const std::string& output);

}  // namespace smelt
