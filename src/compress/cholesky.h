// The Cholesky factorisation of a symmetric positive definite matrix, in blocks whose products go through
// kernels/matmul. Own code, as the products are what takes the time and smelt has them; a LAPACK would be a large
// dependency for this one routine.
#pragma once

#include <cstdint>

#include "base/thread_pool.h"

namespace smelt {

// a [n][n], of which the lower triangle is read, becomes L with A = L L^T in that triangle; the upper one is spoilt.
// False where A is not positive definite, or not finite. Bit-identical for any number of threads.
bool cholesky_in_place(float* a, int64_t n, ThreadPool& threads);

}  // namespace smelt
