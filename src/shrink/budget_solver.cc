#include "shrink/budget_solver.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace smelt {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr uint64_t kMaxTable = uint64_t{64} << 20;  // cells
constexpr uint64_t kMaxBuckets = 1 << 18;

BudgetChoice total(const std::vector<BudgetItem>& items, std::vector<size_t> option) {
  BudgetChoice out{.option = std::move(option)};
  for (size_t i = 0; i < items.size(); ++i) {
    out.bytes += items[i][out.option[i]].bytes;
    out.cost += items[i][out.option[i]].cost;
    out.seconds += items[i][out.option[i]].seconds;
  }
  return out;
}

// Each item's least cost + mu * bytes; of equal ones the smaller.
BudgetChoice at_price(const std::vector<BudgetItem>& items, double mu) {
  std::vector<size_t> option;
  for (const BudgetItem& item : items) {
    size_t best = 0;
    const auto price = [&](size_t o) { return item[o].cost + mu * static_cast<double>(item[o].bytes); };
    for (size_t o = 1; o < item.size(); ++o) {
      if (price(o) < price(best) || (price(o) == price(best) && item[o].bytes < item[best].bytes)) best = o;
    }
    option.push_back(best);
  }
  return total(items, std::move(option));
}

BudgetChoice smallest(const std::vector<BudgetItem>& items) {
  std::vector<size_t> option;
  for (const BudgetItem& item : items) {
    const auto less = [](const BudgetOption& a, const BudgetOption& b) {
      return a.bytes != b.bytes ? a.bytes < b.bytes : a.cost < b.cost;
    };
    option.push_back(static_cast<size_t>(std::min_element(item.begin(), item.end(), less) - item.begin()));
  }
  return total(items, std::move(option));
}

BudgetChoice by_lagrangian(const std::vector<BudgetItem>& items, uint64_t budget) {
  BudgetChoice best = smallest(items);
  double low = 0, high = 1e-30;
  while (at_price(items, high).bytes > budget && high < 1e30) high *= 4;
  for (int i = 0; i < 200; ++i) {
    const double middle = low > 0 ? std::sqrt(low * high) : high / 2;
    const BudgetChoice choice = at_price(items, middle);
    (choice.bytes <= budget ? high : low) = middle;
    if (choice.bytes <= budget && choice.cost < best.cost) best = choice;
  }
  return best;
}

// The single changes of an item that gain most, as long as there is room.
void fill(const std::vector<BudgetItem>& items, const BudgetLimits& limits, BudgetChoice& choice) {
  for (;;) {
    double best_gain = 0;
    size_t item = 0, option = 0;
    for (size_t i = 0; i < items.size(); ++i) {
      const BudgetOption& now = items[i][choice.option[i]];
      for (size_t o = 0; o < items[i].size(); ++o) {
        const bool fits = choice.bytes - now.bytes + items[i][o].bytes <= limits.bytes &&
                          (items[i][o].seconds <= now.seconds ||
                           choice.seconds - now.seconds + items[i][o].seconds <= limits.seconds);
        if (!fits || now.cost - items[i][o].cost <= best_gain) continue;
        best_gain = now.cost - items[i][o].cost;
        item = i;
        option = o;
      }
    }
    if (best_gain == 0) return;
    choice.option[item] = option;
    choice = total(items, std::move(choice.option));
  }
}

uint64_t common_divisor(const std::vector<BudgetItem>& items) {
  uint64_t divisor = 0;
  for (const BudgetItem& item : items) {
    for (const BudgetOption& option : item) divisor = std::gcd(divisor, option.bytes);
  }
  return std::max<uint64_t>(1, divisor);
}

// Exact where a bucket is the sizes' common divisor, else sizes are rounded up to buckets.
std::optional<BudgetChoice> by_table(const std::vector<BudgetItem>& items, uint64_t budget) {
  const uint64_t divisor = common_divisor(items);
  const uint64_t bucket = std::max(divisor, (budget / kMaxBuckets + divisor) / divisor * divisor);
  const uint64_t n_buckets = budget / bucket + 1;
  if (n_buckets * items.size() > kMaxTable) return std::nullopt;
  std::vector<double> least(n_buckets, 0.0), next(n_buckets);
  std::vector<uint8_t> chosen(n_buckets * items.size(), 0xff);
  for (size_t i = 0; i < items.size(); ++i) {
    std::fill(next.begin(), next.end(), kInfinity);
    uint8_t* row = chosen.data() + i * n_buckets;
    for (size_t o = 0; o < items[i].size(); ++o) {
      const uint64_t size = (items[i][o].bytes + bucket - 1) / bucket;
      for (uint64_t b = size; b < n_buckets; ++b) {
        const double cost = least[b - size] + items[i][o].cost;
        if (cost < next[b]) next[b] = cost, row[b] = static_cast<uint8_t>(o);
      }
    }
    std::swap(least, next);
  }
  std::vector<size_t> option(items.size());
  uint64_t b = n_buckets - 1;
  for (size_t i = items.size(); i-- > 0;) {
    option[i] = chosen[i * n_buckets + b];
    if (option[i] == 0xff) return std::nullopt;
    b -= (items[i][option[i]].bytes + bucket - 1) / bucket;
  }
  return total(items, std::move(option));
}

// Within the bytes; times count only as far as they are in the costs.
std::optional<BudgetChoice> solve_bytes(const std::vector<BudgetItem>& items, uint64_t budget) {
  if (smallest(items).bytes > budget) return std::nullopt;
  BudgetChoice best = at_price(items, 0);
  if (best.bytes <= budget) return best;
  best = by_lagrangian(items, budget);
  fill(items, {.bytes = budget}, best);
  auto exact = by_table(items, budget);
  if (!exact) return best;
  fill(items, {.bytes = budget}, *exact);
  return exact->cost < best.cost ? *exact : best;
}

// The least cost + price * seconds within the bytes.
std::optional<BudgetChoice> at_time_price(const std::vector<BudgetItem>& items, uint64_t budget, double price) {
  std::vector<BudgetItem> priced = items;
  for (BudgetItem& item : priced) {
    for (BudgetOption& option : item) option.cost += price * option.seconds;
  }
  const auto choice = solve_bytes(priced, budget);
  return choice ? std::optional(total(items, choice->option)) : std::nullopt;
}

}  // namespace

std::optional<BudgetChoice> solve_budget(const std::vector<BudgetItem>& items, const BudgetLimits& limits) {
  std::optional<BudgetChoice> best = solve_bytes(items, limits.bytes);
  if (!best || best->seconds <= limits.seconds) return best;
  constexpr double kHighestPrice = 1e12, kLowestPrice = 1e-9;  // nats a second
  best = at_time_price(items, limits.bytes, kHighestPrice);
  if (!best || best->seconds > limits.seconds) return std::nullopt;
  double low = kLowestPrice, high = kHighestPrice;
  for (int i = 0; i < 32; ++i) {
    const double middle = std::sqrt(low * high);
    const auto choice = at_time_price(items, limits.bytes, middle);
    const bool fits = choice->seconds <= limits.seconds;
    (fits ? high : low) = middle;
    if (fits && choice->cost < best->cost) best = choice;
  }
  fill(items, limits, *best);
  return best;
}

}  // namespace smelt
