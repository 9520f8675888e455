#include "models/layers/norm.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace smelt {
namespace {

// Eight sums side by side, so that compilers may use registers of eight without changing the result.
constexpr int64_t kSums = 8;

template <class Term>
double sum_of(int64_t n, const Term& term) {
  std::array<float, kSums> sums{};
  int64_t i = 0;
  for (; i + kSums <= n; i += kSums) {
    for (int64_t j = 0; j < kSums; ++j) sums[static_cast<size_t>(j)] += term(i + j);
  }
  double total = 0;
  for (const float sum : sums) total += static_cast<double>(sum);
  for (; i < n; ++i) total += static_cast<double>(term(i));
  return total;
}

}  // namespace

void norm_row_into(const float* x, int64_t n, const NormWeights& norm, float* out) {
  if (!norm.exists()) {
    if (out != x) std::copy_n(x, n, out);
  } else if (norm.kind == NormKind::rms) {
    rms_norm_into(x, norm.weight.data(), n, norm.eps, out);
  } else {
    layer_norm_into(x, norm.weight.data(), norm.bias.empty() ? nullptr : norm.bias.data(), n, norm.eps, out);
  }
}

void layer_norm_into(const float* x, const float* weight, const float* bias, int64_t n, float eps, float* out) {
  const auto mean = static_cast<float>(sum_of(n, [x](int64_t i) { return x[i]; }) / static_cast<double>(n));
  const double squares = sum_of(n, [x, mean](int64_t i) { return (x[i] - mean) * (x[i] - mean); });
  const auto scale = static_cast<float>(1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps)));
  for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - mean) * scale * weight[i];
  if (bias == nullptr) return;
  for (int64_t i = 0; i < n; ++i) out[i] += bias[i];
}

void norm_rows_into(const float* x, int64_t n, const NormWeights& norm, const LinearInput& out, int64_t m,
                    const LinearContext& context) {
  if (norm.exists() && norm.kind == NormKind::rms) {
    norm_into(x, {norm.weight, norm.eps}, out, m, context);
    return;
  }
  for_rows(context.threads, m, n, [&](int64_t i) {
    norm_row_into(x + i * n, n, norm, out.values + i * n);
    if (out.wants_quantized) quantize_row_into(out.values + i * n, i, context.arithmetic, out.quantized);
  });
}

void norm_rows_in_place(float* x, int64_t m, const NormWeights& norm, ThreadPool& threads) {
  const auto n = static_cast<int64_t>(norm.weight.size());
  for_rows(threads, m, n, [&](int64_t i) { norm_row_into(x + i * n, n, norm, x + i * n); });
}

}  // namespace smelt
