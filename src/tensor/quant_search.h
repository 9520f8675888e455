// The search for the scale (and offset) of one group of values that quantizes with the least weighted squared error:
// the heart of every encoder in blocks/. Two kinds of grid:
//   type 0:  x ~ d * q        q a level of a Grid, d of either sign
//   type 1:  x ~ d * q + m    q in 0..max_code, d >= 0
// Method: from several starting scales, round to nearest and solve for the best scale of those codes by weighted least
// squares; keep the best; then single-code steps for type 0. (The idea of maximising F = (sum v x q)^2 / sum v q^2, by
// which the error of fixed codes falls at its best scale, and of the gradient-guided steps is ikawrakow's, ik_llama.cpp
// pull request 295.) Super-blocks, whose group scales are themselves quantized, are in super_block.h.
#pragma once

#include <cstdint>

namespace smelt {

// Magnitudes beyond this saturate: no f16-scaled format reaches it, and squares of it stay far from overflow.
inline constexpr float kMaxQuantizable = 0x1p30f;
inline constexpr int kMaxGroup = 256;

// n (a multiple of 8, at most kMaxGroup) finite values and positive weights of their squared errors.
struct Group {
  const float* x = nullptr;
  const float* v = nullptr;
  int n = 0;
};

// Makes a block's values and weights fit for the search. Non-finite values count as zero, magnitudes saturate at
// kMaxQuantizable, and a block below 2^-40 throughout becomes zero. Weights are scaled to a maximum of one and floored
// at a tiny positive value, so that a group without importance still gets the scale that suits its values. Without
// importance all weights are one: plain mean squared error.
void prepare_group(const float* in, const float* importance, int n, float* x, float* v);

// The levels that a type-0 code can stand for.
struct Grid {
  int min = 0;  // lowest and highest level; 0 must lie between them
  int max = 0;
  bool non_linear = false;  // the levels are kNonLinearLevels instead of all integers from min to max
};

inline constexpr Grid kNonLinearGrid{-127, 113, true};

struct RoundSums {
  float xq = 0;     // sum v x q
  float qq = 0;     // sum v q^2
  float error = 0;  // sum v (x - d q)^2
};

// Rounds each x / d to the nearest level, for a given d. d = 0 gives the level nearest to zero.
RoundSums round_to_grid(const Grid& grid, const Group& group, float d, float* levels);

// Searches d and the levels; 0 if all x are zero.
float fit_scale(const Grid& grid, const Group& group, float* levels);

// Rounds d to an f16 and the values to d's levels again; of the f16 neighbours of d the one with the least error.
uint16_t settle_half_scale(const Grid& grid, const Group& group, float d, float* levels);

struct AffineFit {
  float d = 0;
  float m = 0;
};

struct AffineSums {
  float q = 0;      // sum v q
  float qq = 0;     // sum v q^2
  float xq = 0;     // sum v x q
  float error = 0;  // sum v (x - d q - m)^2
};

// Rounds each (x - m) / d to the nearest of 0..max_code; d = 0 gives zeros.
AffineSums round_affine(int max_code, const Group& group, AffineFit fit, float* codes);

// Searches d, m and the codes. With offset_not_positive (k-quants store -m unsigned), m <= 0.
AffineFit fit_affine(int max_code, bool offset_not_positive, const Group& group, float* codes);

struct HalfAffine {
  uint16_t d = 0;
  uint16_t m = 0;
};

// As settle_half_scale, for both d and m.
HalfAffine settle_half_affine(int max_code, const Group& group, AffineFit fit, float* codes);

}  // namespace smelt
