// Regular expressions as grammars. Internal to this folder; parse_regex_grammar of grammar.h is what others call.
#pragma once

#include <string_view>

#include "base/result.h"
#include "grammar/grammar.h"

namespace smelt {

enum class RegexMatch {
  whole,   // the whole text
  search,  // any part of it, as "pattern" of JSON Schema means; ^ and $ bind it to the ends
};

// The expression of the texts that match. Errors begin with the column.
Result<ExprId> add_regex(Grammar& grammar, std::string_view pattern, RegexMatch match);

}  // namespace smelt
