// The super-block searches: free group fits, quantized factors, then alternating improvement. In each round the codes
// and the integer factors of every group are chosen again by their true error under the current f16 factors (the
// integers one up and one down are tried), and the f16 factors are solved again by least squares; the best round is
// kept.
#include "tensor/super_block.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace smelt {
namespace {

constexpr int kRounds = 3;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// To f16, but never to zero: a factor too small for f16 becomes the smallest one, and the integers shrink instead.
uint16_t half_factor(float x) {
  const uint16_t half = f32_to_f16(std::clamp(x, -kMaxF16, kMaxF16));
  if (x == 0 || (half & 0x7fff) != 0) return half;
  return x < 0 ? 0x8001 : 0x0001;
}

int nearest_integer(float x, int low, int high) {
  return static_cast<int>(std::nearbyint(std::clamp(x, static_cast<float>(low), static_cast<float>(high))));
}

float quotient(float a, float b) { return b == 0 ? 0 : a / b; }

// Type 0
// -----------------------------------------------------------------------------------------------------------------

class ScaledSearch {
 public:
  ScaledSearch(const ScaledLayout& layout, const float* x, const float* v)
      : layout_(layout), x_(x), v_(v), n_groups_(kSuperBlock / layout.group_size) {}

  void run(ScaledSuperBlock& best) {
    float d = fit_groups();
    float best_error = kInfinity;
    for (int round = 0; round < kRounds; ++round) {
      ScaledSuperBlock trial;
      trial.d = half_factor(d);
      const float error = choose_scales(trial, d);
      if (error >= best_error) break;
      best_error = error;
      best = trial;
    }
  }

 private:
  Group group(int g) const { return {x_ + g * layout_.group_size, v_ + g * layout_.group_size, layout_.group_size}; }

  // Fits each group on its own; returns the factor that suits the group scales, each weighted by how much it matters.
  float fit_groups() {
    float weights[kMaxGroups];
    float levels[kSuperBlock];
    for (int g = 0; g < n_groups_; ++g) {
      free_scale_[g] = fit_scale(layout_.grid, group(g), levels);
      weights[g] = round_to_grid(layout_.grid, group(g), free_scale_[g], levels).qq;
    }
    return fit_scale(layout_.scales, {free_scale_, weights, n_groups_}, levels);
  }

  // Chooses integers and codes under trial.d. Returns the error; next_d becomes the best factor for this choice.
  float choose_scales(ScaledSuperBlock& trial, float& next_d) {
    const float d = f16_to_f32(trial.d);
    float error = 0;
    float numerator = 0;
    float denominator = 0;
    for (int g = 0; g < n_groups_; ++g) {
      const RoundSums sums = choose_scale(g, d, trial);
      const auto s = static_cast<float>(trial.scales[g]);
      numerator += s * sums.xq;
      denominator += s * s * sums.qq;
      error += sums.error;
      if (sums.qq > 0) free_scale_[g] = sums.xq / sums.qq;
    }
    next_d = quotient(numerator, denominator);
    return error;
  }

  RoundSums choose_scale(int g, float d, ScaledSuperBlock& trial) {
    float levels[kMaxGroup];
    float* kept = trial.levels + g * layout_.group_size;
    RoundSums best;
    best.error = kInfinity;
    const int centre = nearest_integer(quotient(free_scale_[g], d), layout_.scales.min, layout_.scales.max);
    for (int s = std::max(centre - 1, layout_.scales.min); s <= std::min(centre + 1, layout_.scales.max); ++s) {
      const RoundSums sums = round_to_grid(layout_.grid, group(g), d * static_cast<float>(s), levels);
      if (sums.error >= best.error) continue;
      best = sums;
      trial.scales[g] = s;
      std::copy(levels, levels + layout_.group_size, kept);
    }
    return best;
  }

  const ScaledLayout& layout_;
  const float* x_;
  const float* v_;
  int n_groups_;
  float free_scale_[kMaxGroups] = {};
};

// Type 1
// -----------------------------------------------------------------------------------------------------------------

class AffineSuperSearch {
 public:
  AffineSuperSearch(const AffineLayout& layout, const float* x, const float* v)
      : layout_(layout), x_(x), v_(v), n_groups_(kSuperBlock / layout.group_size) {}

  void run(AffineSuperBlock& best) {
    Factors factors = fit_groups();
    float best_error = kInfinity;
    for (int round = 0; round < kRounds; ++round) {
      AffineSuperBlock trial;
      trial.d = half_factor(std::max(factors.d, 0.0f));
      trial.dmin = half_factor(std::max(factors.dmin, 0.0f));
      const float error = choose_integers(trial, factors);
      if (error >= best_error) break;
      best_error = error;
      best = trial;
    }
  }

 private:
  struct Factors {
    float d = 0;
    float dmin = 0;
  };
  // Sums over the super-block of the normal equations of x ~ d * a - dmin * b, a = s_g q, b = m_g.
  struct Normal {
    float aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
  };

  Group group(int g) const { return {x_ + g * layout_.group_size, v_ + g * layout_.group_size, layout_.group_size}; }

  Factors fit_groups() {
    float scale_weights[kMaxGroups];
    float minima[kMaxGroups];
    float codes[kSuperBlock];
    for (int g = 0; g < n_groups_; ++g) {
      const Group values = group(g);
      fits_[g] = fit_affine(layout_.max_code, true, values, codes);
      fits_[g].m = std::min(fits_[g].m, 0.0f);
      scale_weights[g] = std::max(round_affine(layout_.max_code, values, fits_[g], codes).qq, 1e-12f);
      scales_[g] = fits_[g].d;
      minima[g] = -fits_[g].m;
      for (int i = 0; i < values.n; ++i) {
        sum_v_[g] += values.v[i];
        sum_vx_[g] += values.v[i] * values.x[i];
      }
    }
    const Grid integers{0, layout_.max_scale};
    return {fit_scale(integers, {scales_, scale_weights, n_groups_}, codes),
            fit_scale(integers, {minima, sum_v_, n_groups_}, codes)};
  }

  float choose_integers(AffineSuperBlock& trial, Factors& next) {
    const Factors factors{f16_to_f32(trial.d), f16_to_f32(trial.dmin)};
    Normal normal;
    float error = 0;
    for (int g = 0; g < n_groups_; ++g) {
      const AffineSums sums = choose_pair(g, factors, trial);
      const auto s = static_cast<float>(trial.scales[g]);
      const auto m = static_cast<float>(trial.minima[g]);
      normal.aa += s * s * sums.qq;
      normal.ab += s * m * sums.q;
      normal.bb += m * m * sum_v_[g];
      normal.xa += s * sums.xq;
      normal.xb += m * sum_vx_[g];
      error += sums.error;
    }
    next = solve(normal, factors);
    return error;
  }

  static Factors solve(const Normal& n, Factors now) {
    const float determinant = n.aa * n.bb - n.ab * n.ab;
    if (n.bb == 0) return {quotient(n.xa, n.aa), 0};
    if (!(determinant > 1e-6f * n.aa * n.bb)) return now;
    return {(n.xa * n.bb - n.xb * n.ab) / determinant, (n.xa * n.ab - n.xb * n.aa) / determinant};
  }

  // Tries the integers around the free fit, then keeps the pair with the least error.
  AffineSums choose_pair(int g, Factors factors, AffineSuperBlock& trial) {
    AffineSums best;
    best.error = kInfinity;
    const int s = nearest_integer(quotient(fits_[g].d, factors.d), 0, layout_.max_scale);
    const int m = nearest_integer(quotient(-fits_[g].m, factors.dmin), 0, layout_.max_scale);
    for (int ds = -1; ds <= 1; ++ds) {
      for (int dm = -1; dm <= 1; ++dm) try_pair(g, factors, s + ds, m + dm, trial, best);
    }
    fits_[g] = {factors.d * static_cast<float>(trial.scales[g]), -factors.dmin * static_cast<float>(trial.minima[g])};
    return best;
  }

  void try_pair(int g, Factors factors, int s, int m, AffineSuperBlock& trial, AffineSums& best) {
    if (std::min(s, m) < 0 || std::max(s, m) > layout_.max_scale) return;
    float codes[kMaxGroup];
    const AffineFit fit{factors.d * static_cast<float>(s), -factors.dmin * static_cast<float>(m)};
    const AffineSums sums = round_affine(layout_.max_code, group(g), fit, codes);
    if (sums.error >= best.error) return;
    best = sums;
    trial.scales[g] = static_cast<uint8_t>(s);
    trial.minima[g] = static_cast<uint8_t>(m);
    std::copy(codes, codes + layout_.group_size, trial.codes + g * layout_.group_size);
  }

  const AffineLayout& layout_;
  const float* x_;
  const float* v_;
  int n_groups_;
  AffineFit fits_[kMaxGroups];
  float scales_[kMaxGroups] = {};
  float sum_v_[kMaxGroups] = {};
  float sum_vx_[kMaxGroups] = {};
};

}  // namespace

void fit_scaled_super_block(const ScaledLayout& layout, const float* x, const float* v, ScaledSuperBlock& out) {
  ScaledSearch(layout, x, v).run(out);
}

void fit_affine_super_block(const AffineLayout& layout, const float* x, const float* v, AffineSuperBlock& out) {
  AffineSuperSearch(layout, x, v).run(out);
}

}  // namespace smelt
