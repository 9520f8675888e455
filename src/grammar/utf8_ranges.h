// A set of code points as sequences of byte ranges: the form in which automata over bytes read characters.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "grammar/code_set.h"

namespace smelt {

struct ByteRange {
  uint8_t first, last;
  bool operator==(const ByteRange&) const = default;
};

struct Utf8Range {
  int length;  // 1 to 4
  std::array<ByteRange, 4> bytes;
};

// Together they match the UTF-8 of exactly these code points, each once.
std::vector<Utf8Range> utf8_ranges(const CodeSet& set);

}  // namespace smelt
