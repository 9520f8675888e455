// Norms of rows as a layer has them: RMS or layer norm, or none. Called by layers/decoder.cc and layers/encoder.cc.
#pragma once

#include <vector>

#include "models/linear.h"
#include "models/model_config.h"

namespace smelt {

struct NormWeights {
  std::vector<float> weight;  // empty: there is no such norm
  std::vector<float> bias;    // empty: none
  NormKind kind = NormKind::rms;
  float eps = 0;
  bool exists() const { return !weight.empty(); }
};

// out = (x - mean(x)) / sqrt(variance(x) + eps) * weight + bias, over n values. out may be x; bias may be null.
void layer_norm_into(const float* x, const float* weight, const float* bias, int64_t n, float eps, float* out);

// The rows of x ([m][n]), normalised or, where there is no norm, as they are, into all forms that `out` wants.
void norm_rows_into(const float* x, int64_t n, const NormWeights& norm, const LinearInput& out, int64_t m,
                    const LinearContext& context);
// One row; where there is no norm, as it is. out may be x.
void norm_row_into(const float* x, int64_t n, const NormWeights& norm, float* out);
// In place; rows of weight.size() values.
void norm_rows_in_place(float* x, int64_t m, const NormWeights& norm, ThreadPool& threads);

}  // namespace smelt
