// Scale search for one group. The inner passes are vectorised over four lanes; everything else is scalar and rare.
#include "tensor/quant_search.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "tensor/blocks/block_format.h"
#include "tensor/quant_lanes.h"

namespace smelt {
namespace {

constexpr float kTinyWeight = 1e-8f;    // relative to the largest weight of the block
constexpr float kTinyBlock = 0x1p-40f;  // far below the smallest f16, 2^-24, times any scale
constexpr int kMaxGreedySteps = 16;
constexpr int kMaxRefits = 4;

struct LinearRounder {
  Lanes low;
  Lanes high;
  explicit LinearRounder(const Grid& grid)
      : low(all_lanes(static_cast<float>(grid.min))), high(all_lanes(static_cast<float>(grid.max))) {}
  Lanes operator()(Lanes x) const { return round_lanes(clamp_lanes(x, low, high)); }
};

// Starts at the lowest level and climbs over each midpoint that x exceeds: no table look-up, so it vectorises.
struct NonLinearRounder {
  std::array<Lanes, 15> midpoint;
  std::array<Lanes, 15> step;
  NonLinearRounder() {
    for (size_t k = 0; k < 15; ++k) {
      const auto here = static_cast<float>(kNonLinearLevels[k]);
      const auto next = static_cast<float>(kNonLinearLevels[k + 1]);
      midpoint[k] = all_lanes(0.5f * (here + next));
      step[k] = all_lanes(next - here);
    }
  }
  Lanes operator()(Lanes x) const {
    const Lanes zero = all_lanes(0.0f);
    Lanes level = all_lanes(static_cast<float>(kNonLinearLevels[0]));
    for (size_t k = 0; k < 15; ++k) level += x > midpoint[k] ? step[k] : zero;
    return level;
  }
};

template <class Rounder>
RoundSums round_group(const Rounder& rounder, const Group& group, float d, float* levels) {
  const Lanes inverse = all_lanes(d == 0.0f ? 0.0f : 1.0f / d);
  const Lanes scale = all_lanes(d);
  Lanes xq = all_lanes(0.0f);
  Lanes qq = xq;
  Lanes error = xq;
  for (int i = 0; i < group.n; i += kLanes) {
    const Lanes x = load_lanes(group.x + i);
    const Lanes v = load_lanes(group.v + i);
    const Lanes q = rounder(x * inverse);
    const Lanes vq = v * q;
    const Lanes rest = x - scale * q;
    xq += x * vq;
    qq += q * vq;
    error += v * rest * rest;
    store_lanes(levels + i, q);
  }
  return {sum_lanes(xq), sum_lanes(qq), sum_lanes(error)};
}

// The value of largest magnitude, with its sign.
float signed_max(const Group& group) {
  float best = 0;
  for (int i = 0; i < group.n; ++i) {
    if (std::abs(group.x[i]) > std::abs(best)) best = group.x[i];
  }
  return best;
}

float weighted_rms(const Group& group) {
  float sum_v = 0;
  float sum_vxx = 0;
  for (int i = 0; i < group.n; ++i) {
    sum_v += group.v[i];
    sum_vxx += group.v[i] * group.x[i] * group.x[i];
  }
  return sum_v > 0 ? std::sqrt(sum_vxx / sum_v) : 0;
}

float gain(const RoundSums& sums) { return sums.qq > 0 ? sums.xq * (sums.xq / sums.qq) : 0; }

struct Candidate {
  float d = 0;
  float gain = -1;
};

void try_scale(const Grid& grid, const Group& group, float d, Candidate& best) {
  float levels[kMaxGroup];
  const RoundSums sums = round_to_grid(grid, group, d, levels);
  if (gain(sums) > best.gain) best = {sums.qq > 0 ? sums.xq / sums.qq : 0, gain(sums)};
}

// Starting scales put the largest value this many steps of the grid beyond the edge: above 0 it is clipped.
struct Anchors {
  float first;
  float last;
  float step;
};

Anchors anchors_of(const Grid& grid) {
  const int n_levels = grid.max - grid.min;
  if (!grid.non_linear && n_levels > 200) return {-0.8f, 0.8f, 0.4f};  // 8 bits: little to gain
  if (!grid.non_linear && n_levels < 40) return {-1.0f, 2.0f, 0.15f};
  return {-1.6f, 1.6f, 0.1f};
}

// edge: the outermost level of one side.
void try_edge(const Grid& grid, const Group& group, float largest, float edge, Candidate& best) {
  // The distance of the two outermost levels, away from zero.
  const float step = (grid.non_linear ? 22.0f : 1.0f) * (edge < 0 ? -1.0f : 1.0f);
  const Anchors anchors = anchors_of(grid);
  for (float beyond = anchors.first; beyond <= anchors.last; beyond += anchors.step) {
    const float reach = edge + beyond * step;
    if (reach * edge > 0) try_scale(grid, group, largest / reach, best);
  }
  // Where the largest value stands far from the bulk of the weight, clip it.
  const float typical = weighted_rms(group);
  for (float multiple = 1.5f; multiple < 3.6f && multiple * typical < 0.8f * std::abs(largest); multiple += 0.5f) {
    try_scale(grid, group, multiple * typical / std::copysign(edge, edge * largest), best);
  }
}

// The level next to `level` in the direction of sign, or `level` itself at the edge.
float neighbour(const Grid& grid, float level, bool up) {
  if (!grid.non_linear)
    return up ? std::min(level + 1, static_cast<float>(grid.max)) : std::max(level - 1, static_cast<float>(grid.min));
  const auto& table = kNonLinearLevels;
  const auto at = std::lower_bound(table.begin(), table.end(), static_cast<int8_t>(level));
  if (up) return at + 1 == table.end() ? level : static_cast<float>(*(at + 1));
  return at == table.begin() ? level : static_cast<float>(*(at - 1));
}

// Moves single codes while that raises the gain: always the code whose error has the steepest effect.
float improve_by_steps(const Grid& grid, const Group& group, RoundSums sums, float* levels) {
  for (int step = 0; step < kMaxGreedySteps && sums.qq > 0; ++step) {
    const float d = sums.xq / sums.qq;
    float steepest = 0;
    int at = -1;
    float moved = 0;
    for (int i = 0; i < group.n; ++i) {
      const float slope = group.v[i] * (group.x[i] - d * levels[i]);
      if (std::abs(slope) <= std::abs(steepest)) continue;
      const float next = neighbour(grid, levels[i], (slope > 0) == (d > 0));
      if (next == levels[i]) continue;
      steepest = slope;
      at = i;
      moved = next;
    }
    if (at < 0) break;
    RoundSums next = sums;
    next.xq += group.v[at] * group.x[at] * (moved - levels[at]);
    next.qq += group.v[at] * (moved * moved - levels[at] * levels[at]);
    if (gain(next) <= gain(sums)) break;
    sums = next;
    levels[at] = moved;
  }
  return sums.qq > 0 ? sums.xq / sums.qq : 0;
}

// The f16 nearest to x and its two neighbours, all finite. Magnitudes are adjacent integers in this encoding.
std::array<uint16_t, 3> half_candidates(float x) {
  const uint16_t nearest = f32_to_f16(std::clamp(x, -kMaxF16, kMaxF16));
  const uint16_t below = (nearest & 0x7fff) == 0 ? nearest : static_cast<uint16_t>(nearest - 1);
  const uint16_t above = (nearest & 0x7fff) == 0x7bff ? nearest : static_cast<uint16_t>(nearest + 1);
  return {nearest, below, above};
}

}  // namespace

void prepare_group(const float* in, const float* importance, int n, float* x, float* v) {
  float largest = 0;
  for (int i = 0; i < n; ++i) {
    const bool finite = std::abs(in[i]) <= std::numeric_limits<float>::max();
    x[i] = finite ? std::clamp(in[i], -kMaxQuantizable, kMaxQuantizable) : 0.0f;
    largest = std::max(largest, std::abs(x[i]));
  }
  if (largest < kTinyBlock) std::fill(x, x + n, 0.0f);
  std::fill(v, v + n, 1.0f);
  if (importance == nullptr) return;
  const auto usable = [](float w) { return w > 0 && w <= std::numeric_limits<float>::max(); };
  float heaviest = 0;
  for (int i = 0; i < n; ++i) heaviest = usable(importance[i]) ? std::max(heaviest, importance[i]) : heaviest;
  if (heaviest == 0) return;
  for (int i = 0; i < n; ++i)
    v[i] = usable(importance[i]) ? std::max(importance[i] / heaviest, kTinyWeight) : kTinyWeight;
}

RoundSums round_to_grid(const Grid& grid, const Group& group, float d, float* levels) {
  static const NonLinearRounder non_linear;
  return grid.non_linear ? round_group(non_linear, group, d, levels)
                         : round_group(LinearRounder(grid), group, d, levels);
}

float fit_scale(const Grid& grid, const Group& group, float* levels) {
  const float largest = signed_max(group);
  if (largest == 0) {
    round_to_grid(grid, group, 0, levels);
    return 0;
  }
  Candidate best;
  if (grid.max > 0) try_edge(grid, group, largest, static_cast<float>(grid.max), best);
  if (grid.min < 0 && grid.min != -grid.max) try_edge(grid, group, largest, static_cast<float>(grid.min), best);
  RoundSums sums = round_to_grid(grid, group, best.d, levels);
  for (int i = 0; i < kMaxRefits && gain(sums) > best.gain; ++i) {
    best = {sums.xq / sums.qq, gain(sums)};
    sums = round_to_grid(grid, group, best.d, levels);
  }
  return improve_by_steps(grid, group, sums, levels);
}

uint16_t settle_half_scale(const Grid& grid, const Group& group, float d, float* levels) {
  uint16_t best = 0;
  float best_error = std::numeric_limits<float>::infinity();
  for (const uint16_t half : half_candidates(d)) {
    const float error = round_to_grid(grid, group, f16_to_f32(half), levels).error;
    if (error < best_error) best = half, best_error = error;
  }
  round_to_grid(grid, group, f16_to_f32(best), levels);
  return best;
}

AffineSums round_affine(int max_code, const Group& group, AffineFit fit, float* codes) {
  const Lanes inverse = all_lanes(fit.d == 0.0f ? 0.0f : 1.0f / fit.d);
  const Lanes scale = all_lanes(fit.d);
  const Lanes offset = all_lanes(fit.m);
  const Lanes low = all_lanes(0.0f);
  const Lanes high = all_lanes(static_cast<float>(max_code));
  Lanes sum_q = low;
  Lanes qq = low;
  Lanes xq = low;
  Lanes error = low;
  for (int i = 0; i < group.n; i += kLanes) {
    const Lanes x = load_lanes(group.x + i);
    const Lanes v = load_lanes(group.v + i);
    const Lanes above = x - offset;
    const Lanes q = round_lanes(clamp_lanes(above * inverse, low, high));
    const Lanes vq = v * q;
    const Lanes rest = above - scale * q;
    sum_q += vq;
    qq += q * vq;
    xq += x * vq;
    error += v * rest * rest;
    store_lanes(codes + i, q);
  }
  return {sum_lanes(sum_q), sum_lanes(qq), sum_lanes(xq), sum_lanes(error)};
}

namespace {

// Type-1 search on values shifted to a weighted mean of zero, which keeps the normal equations well conditioned.
class AffineSearch {
 public:
  AffineSearch(int max_code, bool offset_not_positive, const Group& group)
      : max_code_(max_code), shifted_{x_, group.v, group.n} {
    double sum_v = 0;
    double sum_vx = 0;
    for (int i = 0; i < group.n; ++i) {
      sum_v += group.v[i];
      sum_vx += static_cast<double>(group.v[i]) * group.x[i];
    }
    mean_ = static_cast<float>(sum_vx / sum_v);
    sum_v_ = static_cast<float>(sum_v);
    for (int i = 0; i < group.n; ++i) x_[i] = group.x[i] - mean_;
    for (int i = 0; i < group.n; ++i) sum_vx_ += group.v[i] * x_[i];  // zero but for rounding
    max_offset_ = offset_not_positive ? -mean_ : std::numeric_limits<float>::infinity();
  }

  AffineFit run(float* codes) {
    const auto [low, high] = std::minmax_element(x_, x_ + shifted_.n);
    const float bottom = std::min(*low, max_offset_);
    const float range = std::max(*high, bottom) - bottom;
    consider({0, std::min(0.0f, max_offset_)}, codes);
    for (float extra = -1.0f; range > 0 && extra < 1.05f; extra += 0.1f) {
      const float steps = static_cast<float>(max_code_) + extra;
      if (steps > 0.5f) refine({range / steps, bottom}, codes, 2);
    }
    // Where single values stand far from the bulk of the weight, clip them. (The weighted mean is zero here.)
    const float typical = weighted_rms(shifted_);
    for (float multiple = 1.0f; multiple < 3.1f && 2 * multiple * typical < 0.8f * range; multiple += 0.5f) {
      const float start = std::min(std::max(-multiple * typical, bottom), max_offset_);
      refine({(multiple * typical - start) / static_cast<float>(max_code_), start}, codes, 2);
    }
    if (range > 0) refine(best_, codes, kMaxRefits);
    return {best_.d, best_.m + mean_};
  }

 private:
  AffineSums consider(AffineFit fit, float* codes) {
    const AffineSums sums = round_affine(max_code_, shifted_, fit, codes);
    if (sums.error < best_error_) best_ = fit, best_error_ = sums.error;
    return sums;
  }

  void refine(AffineFit fit, float* codes, int n_refits) {
    float last = std::numeric_limits<float>::infinity();
    for (int i = 0; i <= n_refits; ++i) {
      const AffineSums sums = consider(fit, codes);
      if (sums.error >= last || !solve(sums, fit)) return;
      last = sums.error;
    }
  }

  // The best d and m for fixed codes: 2x2 normal equations, with m clamped. False if the codes do not determine d.
  bool solve(const AffineSums& sums, AffineFit& fit) const {
    const float spread = sums.qq - sums.q * (sums.q / sum_v_);
    if (!(spread > 1e-6f * sums.qq)) return false;
    fit.d = (sums.xq - sums.q * (sum_vx_ / sum_v_)) / spread;
    fit.m = (sum_vx_ - fit.d * sums.q) / sum_v_;
    if (fit.m > max_offset_) {
      fit.m = max_offset_;
      fit.d = (sums.xq - fit.m * sums.q) / sums.qq;
    }
    return fit.d > 0;
  }

  int max_code_;
  float x_[kMaxGroup];
  Group shifted_;
  float mean_ = 0;
  float sum_v_ = 0;
  float sum_vx_ = 0;
  float max_offset_ = 0;
  AffineFit best_;
  float best_error_ = std::numeric_limits<float>::infinity();
};

}  // namespace

AffineFit fit_affine(int max_code, bool offset_not_positive, const Group& group, float* codes) {
  const AffineFit fit = AffineSearch(max_code, offset_not_positive, group).run(codes);
  round_affine(max_code, group, fit, codes);
  return fit;
}

HalfAffine settle_half_affine(int max_code, const Group& group, AffineFit fit, float* codes) {
  HalfAffine best;
  float best_error = std::numeric_limits<float>::infinity();
  for (const uint16_t d : half_candidates(fit.d)) {
    for (const uint16_t m : half_candidates(fit.m)) {
      const float error = round_affine(max_code, group, {f16_to_f32(d), f16_to_f32(m)}, codes).error;
      if (error < best_error) best = {d, m}, best_error = error;
    }
  }
  round_affine(max_code, group, {f16_to_f32(best.d), f16_to_f32(best.m)}, codes);
  return best;
}

}  // namespace smelt
