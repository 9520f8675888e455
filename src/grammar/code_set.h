// Sets of Unicode code points, as character classes of grammars and patterns mean them. Surrogates belong to no set:
// UTF-8 text has none.
#pragma once

#include <string>
#include <vector>

namespace smelt {

struct CodeRange {
  char32_t first, last;  // both included
  bool operator==(const CodeRange&) const = default;
};

// Rising, with gaps between the ranges.
using CodeSet = std::vector<CodeRange>;

CodeSet make_code_set(std::vector<CodeRange> ranges);  // in any order, overlapping
CodeSet all_codes();
CodeSet inverted(const CodeSet& set);
CodeSet united(const CodeSet& a, const CodeSet& b);
CodeSet intersected(const CodeSet& a, const CodeSet& b);

}  // namespace smelt
