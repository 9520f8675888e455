#include "shrink/moments.h"

#include <algorithm>

#include "kernels/kernels.h"

namespace smelt {
namespace {

constexpr int64_t kTileRows = 128;  // of the matrix of products, computed at a time

}  // namespace

void MomentObserver::observe(std::span<const TensorView> readers, const float* x, int64_t m) {
  std::shared_ptr<Moment> shared;
  for (const TensorView& reader : readers) {
    const auto place = index_.find(reader);
    if (!place) {
      ++n_unknown_;
      continue;
    }
    std::shared_ptr<Moment>& moment = moments_[*place];
    if (moment != nullptr && moment == shared) continue;  // parts of one tensor, or another reader of this input
    if (shared == nullptr) {
      if (moment == nullptr) {
        moment = std::make_shared<Moment>();
        moment->n_inputs = reader.columns();
      }
      shared = moment;
      add(*moment, x, m);
    } else {
      moment = shared;
    }
  }
}

void MomentObserver::add(Moment& moment, const float* x, int64_t m) {
  const int64_t n = moment.n_inputs;
  moment.squares.resize(static_cast<size_t>(n));
  threads_.parallel_for(n, 256, [&](int64_t begin, int64_t end, int) {
    for (int64_t t = 0; t < m; ++t) {
      const float* row = x + t * n;
      for (int64_t i = begin; i < end; ++i)
        moment.squares[static_cast<size_t>(i)] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
    }
  });
  moment.n_rows += m;
  if (kind_ == Kind::products) add_products(moment, x, m);
}

// Sums of a pass's rows are made apart and then added, so that rounding errors grow with the number of passes only.
void MomentObserver::add_products(Moment& moment, const float* x, int64_t m) {
  const int64_t n = moment.n_inputs;
  moment.products.resize(static_cast<size_t>(n * n));
  transposed_.resize(static_cast<size_t>(n * m));
  threads_.parallel_for(n, 64, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      for (int64_t t = 0; t < m; ++t) transposed_[static_cast<size_t>(i * m + t)] = x[t * n + i];
    }
  });
  tile_.resize(static_cast<size_t>(kTileRows * n));
  scratch_.resize(static_cast<size_t>(matmul_scratch_floats(kTileRows, m, threads_.size())));
  for (int64_t first = 0; first < n; first += kTileRows) {
    const int64_t rows = std::min(kTileRows, n - first), columns = first + rows;
    const TensorView w{.dtype = DType::f32,
                       .shape = {columns, m},
                       .bytes = std::as_bytes(std::span(transposed_).first(static_cast<size_t>(columns * m)))};
    matmul_into({.x = transposed_.data() + first * m, .m = rows, .w = w, .out = tile_.data()}, scratch_.data(),
                threads_);
    threads_.parallel_for(rows, 8, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) {
        float* out = moment.products.data() + (first + i) * n;
        const float* in = tile_.data() + i * columns;
        for (int64_t j = 0; j <= first + i; ++j) out[j] += in[j];
      }
    });
  }
}

const Moment* MomentObserver::find(const WeightPlace& place) const {
  const auto at = moments_.find(place);
  return at == moments_.end() ? nullptr : at->second.get();
}

}  // namespace smelt
