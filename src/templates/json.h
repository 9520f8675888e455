// JSON into values: messages, tools and settings as callers have them.
#pragma once

#include <string>
#include <string_view>

#include "templates/value.h"

namespace smelt::jinja {

// Strings are marked foreign: they are data. Errors name the place in `name`.
Result<Value> parse_json(std::string_view json, const std::string& name);

}  // namespace smelt::jinja
