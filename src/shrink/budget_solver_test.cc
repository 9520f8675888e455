// The solver against trying everything.
#include "shrink/budget_solver.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tensor/test_data.h"

namespace smelt {
namespace {

std::vector<BudgetItem> made_up(int n_items, int n_options, uint64_t seed) {
  std::vector<BudgetItem> items;
  for (int i = 0; i < n_items; ++i) {
    BudgetItem item;
    const double weight = uniform24(seed, static_cast<uint64_t>(i)) + 0.1;
    for (int o = 0; o < n_options; ++o) {
      const double bits = 2 + 1.3 * o + uniform24(seed + 1, static_cast<uint64_t>(i * n_options + o));
      const double seconds = 1 + uniform24(seed + 2, static_cast<uint64_t>(i * n_options + o));
      item.push_back({static_cast<uint64_t>(bits * 1000 * (1 + i % 3)), weight * std::exp2(-2 * bits), seconds});
    }
    items.push_back(item);
  }
  return items;
}

double best_of_all(const std::vector<BudgetItem>& items, size_t i, uint64_t budget, double seconds = 1e9) {
  if (i == items.size()) return 0;
  double best = std::numeric_limits<double>::infinity();
  for (const BudgetOption& option : items[i]) {
    if (option.bytes > budget || option.seconds > seconds) continue;
    best = std::min(best, option.cost + best_of_all(items, i + 1, budget - option.bytes, seconds - option.seconds));
  }
  return best;
}

TEST(BudgetSolver, FindsTheOptimum) {
  for (uint64_t seed = 0; seed < 12; ++seed) {
    const auto items = made_up(7, 4, seed);
    for (const uint64_t budget : {40'000u, 52'000u, 70'000u}) {
      const auto found = solve_budget(items, {.bytes = budget});
      const double best = best_of_all(items, 0, budget);
      ASSERT_EQ(found.has_value(), best < 1e300);
      if (!found) continue;
      EXPECT_LE(found->bytes, budget);
      EXPECT_NEAR(found->cost, best, 1e-12 + 1e-9 * best) << seed << " " << budget;
    }
  }
}

TEST(BudgetSolver, EndsCloselyBelowTheBudget) {
  const auto items = made_up(200, 7, 3);
  for (uint64_t budget = 1'400'000; budget < 3'000'000; budget += 111'111) {
    const auto found = solve_budget(items, {.bytes = budget});
    ASSERT_TRUE(found);
    EXPECT_LE(found->bytes, budget);
    EXPECT_GT(static_cast<double>(found->bytes), 0.998 * static_cast<double>(budget));
  }
}

// Two Lagrangians leave the gap of a convex hull: near the optimum of everything tried, not always at it.
TEST(BudgetSolver, KeepsALimitOfTime) {
  double sum = 0, least = 0;
  for (uint64_t seed = 0; seed < 6; ++seed) {
    const auto items = made_up(7, 4, seed);
    const BudgetLimits limits{60'000, 9.5};
    const auto found = solve_budget(items, limits);
    const double best = best_of_all(items, 0, limits.bytes, limits.seconds);
    if (!(best < 1e300)) {
      EXPECT_FALSE(found);
      continue;
    }
    if (!found) continue;  // counted below
    EXPECT_LE(found->bytes, limits.bytes);
    EXPECT_LE(found->seconds, limits.seconds + 1e-9);
    sum += found->cost;
    least += best;
  }
  EXPECT_GT(least, 0);
  EXPECT_LT(sum, 1.3 * least);
  EXPECT_FALSE(solve_budget(made_up(7, 4, 1), {.seconds = 6}));
}

TEST(BudgetSolver, SaysWhenNothingFits) { EXPECT_FALSE(solve_budget(made_up(5, 3, 1), {.bytes = 1000})); }

}  // namespace
}  // namespace smelt
