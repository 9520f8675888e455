// Four floats at a time by the compilers' portable vector extension (SSE2, NEON or plain code, whatever the target
// has), for the search loops of quant_search.cc, whose reductions a compiler may not reorder by itself. The order of
// additions is fixed, so the encoded bytes do not depend on the machine.
#pragma once

#include <cstdint>
#include <cstring>

namespace smelt {

using Lanes = float __attribute__((vector_size(16)));
using LanesMask = int32_t __attribute__((vector_size(16)));
inline constexpr int kLanes = 4;

inline Lanes load_lanes(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof(lanes));
  return lanes;
}

inline void store_lanes(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof(lanes)); }

inline Lanes all_lanes(float value) { return Lanes{value, value, value, value}; }

inline Lanes clamp_lanes(Lanes x, Lanes low, Lanes high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// To the nearest integer, ties to even, for |x| < 2^22: adding 1.5 * 2^23 leaves no room for fraction bits.
inline Lanes round_lanes(Lanes x) {
  const Lanes shift = all_lanes(12582912.0f);
  return (x + shift) - shift;
}

inline float sum_lanes(Lanes x) { return (x[0] + x[1]) + (x[2] + x[3]); }

}  // namespace smelt
