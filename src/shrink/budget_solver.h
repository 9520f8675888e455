// Which type each tensor gets: the least sum of costs within a budget of bytes. A multiple-choice knapsack, solved by
// the Lagrangian (Everett 1963; Shoham & Gersho 1988) and then, where the table fits into memory, by dynamic
// programming over the bytes; what is left over is filled. Pure: knows no tensors.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace smelt {

struct BudgetOption {
  uint64_t bytes = 0;
  double cost = 0;  // finite, not negative
};
using BudgetItem = std::vector<BudgetOption>;  // the choices for one tensor; at least one

struct BudgetChoice {
  std::vector<size_t> option;  // of each item
  uint64_t bytes = 0;
  double cost = 0;
};

// Nothing if even the smallest options need more. Deterministic.
std::optional<BudgetChoice> solve_budget(const std::vector<BudgetItem>& items, uint64_t budget_bytes);

}  // namespace smelt
