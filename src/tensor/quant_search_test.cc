// The scale searches against exhaustive ones: for type 0 every scale at which any code changes, for type 1 a fine grid
// of scale and offset, each with its least-squares refinement.
#include "tensor/quant_search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "tensor/blocks/block_format.h"
#include "tensor/test_data.h"

namespace smelt {
namespace {

struct Case {
  std::vector<float> x;
  std::vector<float> v;
  Group group() const { return {x.data(), v.data(), static_cast<int>(x.size())}; }
};

Case make_case(const char* kind, int n, uint64_t seed, bool weighted) {
  Case out{random_values(kind, n, seed), std::vector<float>(static_cast<size_t>(n), 1.0f)};
  for (size_t i = 0; weighted && i < out.v.size(); ++i) {
    out.v[i] = static_cast<float>(uniform24(seed + 1000, i) * uniform24(seed + 2000, i)) + 1e-3f;
  }
  return out;
}

std::vector<float> midpoints(const Grid& grid) {
  std::vector<float> out;
  if (grid.non_linear) {
    for (size_t k = 0; k < 15; ++k)
      out.push_back(0.5f * static_cast<float>(kNonLinearLevels[k] + kNonLinearLevels[k + 1]));
  } else {
    for (int q = grid.min; q < grid.max; ++q) out.push_back(static_cast<float>(q) + 0.5f);
  }
  return out;
}

// The least error over all scales: codes change only where x / d is a midpoint, so one scale between any two such
// places is enough.
double exhaustive_error(const Grid& grid, const Case& c) {
  std::vector<double> inverses;
  for (const float x : c.x) {
    for (const float middle : midpoints(grid)) {
      if (x != 0) inverses.push_back(static_cast<double>(middle) / x);
    }
  }
  std::sort(inverses.begin(), inverses.end());
  std::vector<float> levels(c.x.size());
  double best = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i + 1 < inverses.size(); ++i) {
    const auto d = static_cast<float>(2 / (inverses[i] + inverses[i + 1]));
    if (!std::isfinite(d)) continue;
    const RoundSums sums = round_to_grid(grid, c.group(), d, levels.data());
    if (sums.qq == 0) continue;
    best = std::min<double>(best, round_to_grid(grid, c.group(), sums.xq / sums.qq, levels.data()).error);
  }
  return best;
}

TEST(FitScale, IsCloseToTheExhaustiveSearch) {
  const Grid grids[] = {{-4, 3}, {-8, 7}, {-16, 15}, {-32, 31}, kNonLinearGrid};
  for (const Grid& grid : grids) {
    double found = 0;
    double optimum = 0;
    for (uint64_t seed = 0; seed < 60; ++seed) {
      const char* kind = seed % 3 == 0 ? "bell" : (seed % 3 == 1 ? "heavy" : "uniform");
      const Case c = make_case(kind, seed % 2 == 0 ? 16 : 32, seed, seed % 4 >= 2);
      std::vector<float> levels(c.x.size());
      const float d = fit_scale(grid, c.group(), levels.data());
      const double error = round_to_grid(grid, c.group(), d, levels.data()).error;
      const double best = exhaustive_error(grid, c);
      EXPECT_GE(error, best * 0.999) << "the exhaustive search must find the best";
      EXPECT_LE(error, best * 2 + 1e-12) << "levels " << grid.min << " to " << grid.max << ", case " << seed;
      found += error;
      optimum += best;
    }
    EXPECT_LT(found, optimum * 1.03) << "levels " << grid.min << " to " << grid.max;
  }
}

TEST(FitScale, FindsAnExactGridOfEitherSign) {
  for (const float scale : {0.37f, -0.37f}) {
    Case c = make_case("uniform", 32, 1, false);
    for (float& x : c.x) x = scale * std::nearbyint(x * 7.0f);
    c.x[0] = scale * -8.0f;  // only one sign of d reaches it
    std::vector<float> levels(32);
    const float d = fit_scale({-8, 7}, c.group(), levels.data());
    EXPECT_NEAR(d, scale, 1e-6f);
    for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(d * levels[i], c.x[i], 1e-5f);
  }
}

TEST(FitScale, IgnoresAnOutlierWithoutImportance) {
  Case c = make_case("uniform", 32, 2, false);
  c.x[5] = 100;
  c.v[5] = 1e-8f;
  std::vector<float> levels(32);
  const float d = fit_scale({-8, 7}, c.group(), levels.data());
  EXPECT_LT(std::abs(d), 0.2f);
}

double best_error_on_grid(int max_code, const Case& c) {
  std::vector<float> codes(c.x.size());
  double best = std::numeric_limits<double>::infinity();
  const auto [low, high] = std::minmax_element(c.x.begin(), c.x.end());
  const float range = *high - std::min(*low, 0.0f);
  for (float d = 0.4f; d < 1.15f; d += 0.01f) {
    for (float m = 0.0f; m < 1.2f; m += 0.01f) {
      const AffineFit trial{d * range / static_cast<float>(max_code), m * std::min(*low, 0.0f)};
      best = std::min<double>(best, round_affine(max_code, c.group(), trial, codes.data()).error);
    }
  }
  return best;
}

TEST(FitAffine, IsCloseToAFineGrid) {
  for (const int max_code : {3, 15}) {
    double found = 0;
    double optimum = 0;
    for (uint64_t seed = 0; seed < 24; ++seed) {
      const Case c = make_case(seed % 2 == 0 ? "bell" : "shifted", 32, seed, seed % 4 >= 2);
      std::vector<float> codes(32);
      const AffineFit fit = fit_affine(max_code, true, c.group(), codes.data());
      EXPECT_LE(fit.m, 1e-6f);
      EXPECT_GE(fit.d, 0.0f);
      found += round_affine(max_code, c.group(), fit, codes.data()).error;
      optimum += best_error_on_grid(max_code, c);
    }
    EXPECT_LT(found, optimum * 1.03) << max_code;
  }
}

TEST(FitAffine, LargeOffsetsKeepTheirPrecision) {
  Case c = make_case("uniform", 32, 3, false);
  for (float& x : c.x) x = 1000.0f + std::nearbyint((x + 1) * 7.5f) / 8;
  std::vector<float> codes(32);
  const AffineFit fit = fit_affine(15, false, c.group(), codes.data());
  for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(fit.d * codes[i] + fit.m, c.x[i], 1e-3f);
}

TEST(Settle, PicksTheBestHalfInTheSubnormalRange) {
  // f16 has steps of 2^-24 here: the scale cannot be met, the codes must make up for it.
  Case c = make_case("uniform", 32, 4, false);
  for (float& x : c.x) x *= 3e-7f;
  std::vector<float> levels(32);
  const Grid grid{-8, 7};
  const float d = fit_scale(grid, c.group(), levels.data());
  const float settled = f16_to_f32(settle_half_scale(grid, c.group(), d, levels.data()));
  EXPECT_NE(settled, 0.0f);
  for (size_t i = 0; i < 32; ++i) EXPECT_NEAR(settled * levels[i], c.x[i], 0x1p-25f * 1.01f);
}

TEST(PrepareGroup, CleansValuesAndWeights) {
  const float inf = std::numeric_limits<float>::infinity();
  const std::vector<float> in = {1, -inf, std::nanf(""), 3e38f, -3e38f, 0, 1e-42f, -2};
  const std::vector<float> importance = {2, 1, 0, -1, inf, 4, std::nanf(""), 1};
  float x[8];
  float v[8];
  prepare_group(in.data(), importance.data(), 8, x, v);
  EXPECT_EQ(std::vector<float>(x, x + 8),
            (std::vector<float>{1, 0, 0, kMaxQuantizable, -kMaxQuantizable, 0, 1e-42f, -2}));
  EXPECT_EQ(std::vector<float>(v, v + 8), (std::vector<float>{0.5f, 0.25f, 1e-8f, 1e-8f, 1e-8f, 1, 1e-8f, 0.25f}));
  prepare_group(std::vector<float>(8, 1e-20f).data(), nullptr, 8, x, v);
  EXPECT_EQ(std::vector<float>(x, x + 8), std::vector<float>(8, 0.0f));
  EXPECT_EQ(std::vector<float>(v, v + 8), std::vector<float>(8, 1.0f));
}

}  // namespace
}  // namespace smelt
