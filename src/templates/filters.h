// The filters' common form and the list of all of them, made from filters.inc.
#pragma once

#include <string>
#include <vector>

#include "templates/runtime.h"

namespace smelt::jinja {

using Filter = Result<Value> (*)(Runtime& runtime, const Value& input, const Arguments& arguments);
struct FilterEntry {
  const char* name;
  Filter apply;
};

#define SMELT_FILTER(name, function) \
  Result<Value> filter_##function(Runtime& runtime, const Value& input, const Arguments& arguments);
#include "templates/filters.inc"
#undef SMELT_FILTER

std::vector<std::string> filter_names();

// A string's text or, of other values, what {{ }} prints.
Result<Value> soft_text(Runtime& runtime, const Value& value);

}  // namespace smelt::jinja
