// From what a model wrote to what is compared: the part that counts, and small differences taken out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "eval/tasks/spans.h"

namespace smelt {

enum class Normalize : uint8_t {
  lower,        // ASCII letters
  punctuation,  // ASCII punctuation taken out
  articles,     // the words a, an, the taken out
  number,       // "$1,234.50." and "1234.5" are equal; what is no number stays
};

// Spaces at both ends go, and several in a row become one, always.
std::string normalize_answer(std::string_view answer, const std::vector<Normalize>& how);

// Lines "label: words" as spans of the tokens: each where its words stand first and no earlier line of that label has
// taken them. Words that do not stand there are a span behind all tokens, which is never right. "none" is no span.
std::vector<Span> read_spans(std::string_view answer, const std::vector<std::string>& tokens);

}  // namespace smelt
