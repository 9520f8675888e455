// How often a part may come, as GBNF and regular expressions both write it. Used by their parsers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "grammar/text_cursor.h"

namespace smelt {

struct Repeats {
  int64_t min = 0, max = -1;  // max -1: without end
};

// '*', '+' or '?'; nothing where none stands here.
std::optional<Repeats> take_repeat_sign(TextCursor& in);
// What is wrong with the counts of a '{…}', or nothing.
std::optional<std::string> find_fault(const Repeats& repeats);

}  // namespace smelt
