// How many random shapes a test tries: more in ./dev test --full, fewer where SMELT_SHAPES_PERCENT says so, as
// tests/emulated/ does for processors that are not there.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace smelt {

inline int n_test_shapes(int ordinary, int full) {
  if (const char* percent = std::getenv("SMELT_SHAPES_PERCENT"); percent != nullptr)
    return std::max(1, ordinary * std::atoi(percent) / 100);
  const char* is_full = std::getenv("SMELT_FULL");
  return is_full != nullptr && std::string_view(is_full) == "1" ? full : ordinary;
}

}  // namespace smelt
