#include "compress/cholesky.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/kernels.h"

namespace smelt {
namespace {

constexpr int64_t kBlock = 64;
constexpr int64_t kTileRows = 256;

// The block on the diagonal, in double.
bool factor_block(float* a, int64_t n, int64_t stride) {
  for (int64_t j = 0; j < n; ++j) {
    for (int64_t i = j; i < n; ++i) {
      double sum = a[i * stride + j];
      for (int64_t k = 0; k < j; ++k)
        sum -= static_cast<double>(a[i * stride + k]) * static_cast<double>(a[j * stride + k]);
      if (i == j && !(sum > 0 && std::isfinite(sum))) return false;
      a[i * stride + j] = static_cast<float>(i == j ? std::sqrt(sum) : sum / static_cast<double>(a[j * stride + j]));
    }
  }
  return true;
}

// A row of the panel below: x L^T = a.
void solve_row(const float* l, int64_t n, int64_t stride, float* row) {
  for (int64_t j = 0; j < n; ++j) {
    double sum = row[j];
    for (int64_t k = 0; k < j; ++k) sum -= static_cast<double>(row[k]) * static_cast<double>(l[j * stride + k]);
    row[j] = static_cast<float>(sum / static_cast<double>(l[j * stride + j]));
  }
}

struct Buffers {
  std::vector<float> panel, tile, scratch;
};

// The lower triangle of what is left, less the panel's products with itself.
void update_rest(float* a, int64_t n, int64_t end, int64_t width, Buffers& buffers, ThreadPool& threads) {
  const int64_t rest = n - end;
  for (int64_t first = 0; first < rest; first += kTileRows) {
    const int64_t rows = std::min(kTileRows, rest - first), columns = first + rows;
    const TensorView w{.dtype = DType::f32,
                       .shape = {columns, width},
                       .bytes = std::as_bytes(std::span(buffers.panel).first(static_cast<size_t>(columns * width)))};
    matmul_into({.x = buffers.panel.data() + first * width, .m = rows, .w = w, .out = buffers.tile.data()},
                buffers.scratch.data(), threads);
    threads.parallel_for(rows, 8, [&](int64_t row_begin, int64_t row_end, int) {
      for (int64_t i = row_begin; i < row_end; ++i) {
        float* out = a + (end + first + i) * n + end;
        const float* in = buffers.tile.data() + i * columns;
        for (int64_t j = 0; j <= first + i; ++j) out[j] -= in[j];
      }
    });
  }
}

}  // namespace

bool cholesky_in_place(float* a, int64_t n, ThreadPool& threads) {
  Buffers buffers;
  buffers.panel.resize(static_cast<size_t>(n * kBlock));
  buffers.tile.resize(static_cast<size_t>(n * std::min(n, kTileRows)));
  buffers.scratch.resize(static_cast<size_t>(matmul_scratch_floats(kTileRows, kBlock, threads.size())));
  for (int64_t begin = 0; begin < n; begin += kBlock) {
    const int64_t end = std::min(n, begin + kBlock), width = end - begin;
    float* corner = a + begin * n + begin;
    if (!factor_block(corner, width, n)) return false;
    threads.parallel_for(n - end, 16, [&](int64_t row_begin, int64_t row_end, int) {
      for (int64_t i = row_begin; i < row_end; ++i) {
        float* row = a + (end + i) * n + begin;
        solve_row(corner, width, n, row);
        std::copy_n(row, width, buffers.panel.data() + i * width);
      }
    });
    update_rest(a, n, end, width, buffers, threads);
  }
  return true;
}

}  // namespace smelt
