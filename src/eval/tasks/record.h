// What came of one item: the numbers of which metrics are made, and what a person wants to see. A line of the items
// file.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace smelt {

struct TaskRecord {
  using Detail = std::variant<bool, int64_t, double, std::string, std::vector<double>, std::vector<std::string>>;
  int64_t index = 0;                                    // of the item
  std::vector<std::pair<std::string, double>> scores;   // metrics.h says which
  std::vector<std::pair<std::string, Detail>> details;  // for people: prediction, gold, …

  double score(std::string_view name) const;  // NaN if there is none
};

}  // namespace smelt
