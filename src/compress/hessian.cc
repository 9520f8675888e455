#include "compress/hessian.h"

#include <algorithm>
#include <cmath>

#include "compress/cholesky.h"

namespace smelt {
namespace {

constexpr double kMoreDamping = 10;
constexpr int kAttempts = 5;

bool is_usable(float x) { return std::isfinite(x) && x >= 0; }

}  // namespace

double default_shrinkage(int64_t n_rows, int64_t n_inputs) {
  if (n_rows < n_inputs) return 0.5;
  return n_rows < 4 * n_inputs ? 0.3 : 0.1;
}

Hessian Hessian::diagonal(const std::vector<float>& mean_squares) {
  Hessian out;
  out.n_ = std::ssize(mean_squares);
  out.diagonal_ = mean_squares;
  double sum = 0;
  for (float& x : out.diagonal_) sum += (x = is_usable(x) ? x : 0.0F);
  const auto floor =
      static_cast<float>(std::max(1e-3 * sum / static_cast<double>(std::max<int64_t>(1, out.n_)), 1e-30));
  for (float& x : out.diagonal_) x = std::max(x, floor);
  return out;
}

Hessian Hessian::make(int64_t n, const std::vector<float>& products, int64_t n_rows, const HessianOptions& options,
                      ThreadPool& threads) {
  const float scale = n_rows > 0 ? 1.0F / static_cast<float>(n_rows) : 0.0F;
  std::vector<float> means(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) means[static_cast<size_t>(i)] = products[static_cast<size_t>(i * n + i)] * scale;
  double mean = 0;
  for (const float x : means) mean += is_usable(x) ? x : 0;
  mean /= static_cast<double>(n);
  if (!std::all_of(means.begin(), means.end(), is_usable) || !(mean > 0)) return diagonal(means);
  double damping = options.damping;
  for (int attempt = 0; attempt < kAttempts; ++attempt, damping *= kMoreDamping) {
    Hessian out;
    out.n_ = n;
    out.matrix_.resize(static_cast<size_t>(n * n));
    const auto kept = static_cast<float>(1 - options.shrinkage);
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < i; ++j) {
        const float x = products[static_cast<size_t>(i * n + j)] * scale * kept;
        out.matrix_[static_cast<size_t>(i * n + j)] = out.matrix_[static_cast<size_t>(j * n + i)] = x;
      }
      const float x = means[static_cast<size_t>(i)] + static_cast<float>(damping * mean);
      out.matrix_[static_cast<size_t>(i * n + i)] = x;
      out.diagonal_.push_back(x);
    }
    if (out.factor(threads)) return out;
  }
  return diagonal(means);
}

// The factor of H' read backwards is lower triangular: R_ij = L_{n-1-i, n-1-j}.
bool Hessian::factor(ThreadPool& threads) {
  std::vector<float> l(matrix_.rbegin(), matrix_.rend());
  if (!cholesky_in_place(l.data(), n_, threads)) return false;
  const auto normal = [&](int64_t i, int64_t j) {
    const int64_t row = n_ - 1 - i, column = n_ - 1 - j;
    return l[static_cast<size_t>(row * n_ + column)] / l[static_cast<size_t>(column * n_ + column)];
  };
  for (int64_t begin = 0; begin < n_; begin += kRoundingUnit) {
    const int64_t end = std::min(n_, begin + kRoundingUnit), width = end - begin;
    std::vector<float> inner(static_cast<size_t>(width * width)), tile(static_cast<size_t>((n_ - end) * width));
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t j = i + 1; j < end; ++j) inner[static_cast<size_t>((i - begin) * width + j - begin)] = normal(i, j);
      for (int64_t j = end; j < n_; ++j) tile[static_cast<size_t>((j - end) * width + i - begin)] = normal(i, j);
    }
    inner_.push_back(std::move(inner));
    tiles_.push_back(std::move(tile));
  }
  return true;
}

}  // namespace smelt
