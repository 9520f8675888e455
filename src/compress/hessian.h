// The second moment of a layer's inputs made fit for rounding: shrunk towards its diagonal, so that few tokens do not
// mislead, and factored. Ledoit & Wolf (2004) for the idea of shrinking; damping as in GPTQ (Frantar et al., arXiv
// 2210.17323). Called by second_order.cc.
#pragma once

#include <cstdint>
#include <vector>

#include "base/thread_pool.h"

namespace smelt {

// Columns whose codes are decided together, before the columns after them are compensated.
inline constexpr int64_t kRoundingUnit = 256;

struct HessianOptions {
  double shrinkage = 0.1;  // of what is off the diagonal, 0 … 1
  double damping = 0.01;   // added to the diagonal, times its mean
};

// H' and its factor H' = R R^T with R upper triangular. With N_ij = R_ij / R_jj, an error e of a row of weights costs
//   e H' e^T = sum_j R_jj^2 (e_j + sum_{i<j} e_i N_ij)^2
// so that rounding column after column with the errors so far added by N is the best of its kind (LDLQ: Chee et al.,
// arXiv 2307.13304; the same as GPTQ's).
class Hessian {
 public:
  // `products`: the lower triangle of sums of x x^T over n_rows tokens. Inputs that never were anything but zero, NaN,
  // infinities and matrices of low rank all give something usable: where no factor can be found, the diagonal is taken.
  static Hessian make(int64_t n, const std::vector<float>& products, int64_t n_rows, const HessianOptions& options,
                      ThreadPool& threads);
  // Of a diagonal alone.
  static Hessian diagonal(const std::vector<float>& mean_squares);

  int64_t n() const { return n_; }
  bool is_diagonal() const { return matrix_.empty(); }
  const std::vector<float>& diagonal() const { return diagonal_; }  // of H'
  const std::vector<float>& matrix() const { return matrix_; }      // H', both triangles
  // N_ij of the columns i of a unit and the columns j after it, as [n - end][end - begin].
  const std::vector<float>& tile(int64_t unit) const { return tiles_[static_cast<size_t>(unit)]; }
  // N_ij of the columns inside a unit, as [end - begin][end - begin] with i the row.
  const std::vector<float>& inner(int64_t unit) const { return inner_[static_cast<size_t>(unit)]; }
  int64_t n_units() const { return (n_ + kRoundingUnit - 1) / kRoundingUnit; }

 private:
  bool factor(ThreadPool& threads);
  int64_t n_ = 0;
  std::vector<float> diagonal_, matrix_;
  std::vector<std::vector<float>> tiles_, inner_;
};

// The shrinkage that suits so many tokens, measured on layers of made-up inputs.
double default_shrinkage(int64_t n_rows, int64_t n_inputs);

}  // namespace smelt
