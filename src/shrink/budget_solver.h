// Which type each tensor gets: the least sum of costs within a budget of bytes. A multiple-choice knapsack, solved by
// the Lagrangian (Everett 1963; Shoham & Gersho 1988) and then, where the table fits into memory, by dynamic
// programming over the bytes; what is left over is filled. A limit of time is a second Lagrangian around it. Pure:
// knows no tensors.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace smelt {

struct BudgetOption {
  uint64_t bytes = 0;
  double cost = 0;     // finite, not negative
  double seconds = 0;  // that a token takes, where time is limited
};
using BudgetItem = std::vector<BudgetOption>;  // the choices for one tensor; at least one

struct BudgetChoice {
  std::vector<size_t> option;  // of each item
  uint64_t bytes = 0;
  double cost = 0;
  double seconds = 0;
};

struct BudgetLimits {
  uint64_t bytes = std::numeric_limits<uint64_t>::max();
  double seconds = std::numeric_limits<double>::infinity();
};

// Nothing if no choice was found within the limits; with a limit of bytes alone: if even the smallest options need
// more. Deterministic.
std::optional<BudgetChoice> solve_budget(const std::vector<BudgetItem>& items, const BudgetLimits& limits);

}  // namespace smelt
