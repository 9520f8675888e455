// Numbers that tests and benchmarks of this floor are made of, and that tests/golden/scripts/make_block_fixtures.py
// makes bit for bit the same: a counter-based generator (splitmix64, Steele et al. 2014) and distributions from it by
// exact arithmetic.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace smelt {

inline uint64_t splitmix64(uint64_t seed, uint64_t index) {
  uint64_t z = seed + (index + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// In [0, 1), 24 random bits, exact in f32.
inline double uniform24(uint64_t seed, uint64_t index) {
  return static_cast<double>(splitmix64(seed, index) >> 40) * 0x1p-24;
}

// "uniform": [-1, 1). "bell": sum of six uniforms, centred, variance 1/2. "heavy": its cube. "shifted": bell + 1.5.
// "outliers": bell, every 61st value times 8. "weights": bell times 1/32, as of a trained matrix.
inline std::vector<float> random_values(std::string_view kind, int64_t n, uint64_t seed) {
  std::vector<float> out(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<uint64_t>(i);
    double x = -3.0;
    for (uint64_t k = 0; k < 6; ++k) x += uniform24(seed, 6 * at + k);
    if (kind == "uniform") x = 2 * uniform24(seed, 6 * at) - 1;
    if (kind == "heavy") x = x * x * x;
    if (kind == "shifted") x += 1.5;
    if (kind == "outliers" && i % 61 == 0) x *= 8;
    if (kind == "weights") x *= 0x1p-5;
    out[static_cast<size_t>(i)] = static_cast<float>(x);
  }
  return out;
}

}  // namespace smelt
