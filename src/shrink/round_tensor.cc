#include "shrink/round_tensor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace smelt {
namespace {

constexpr int64_t kSampledRows = 128;  // of a matrix, by which a type's loss is estimated
constexpr int64_t kSlabValues = int64_t{1} << 24;

// Rows first, first + step, … of a tensor, as floats.
struct RowRange {
  int64_t first = 0, count = 0, step = 1;
};

Result<std::vector<float>> decode_rows(const SourceModel& source, const CanonicalTensor& tensor, const RowRange& rows) {
  const int64_t columns = tensor.shape.columns();
  std::vector<float> out(static_cast<size_t>(rows.count * columns));
  for (int64_t i = 0; i < rows.count; ++i) {
    const auto [entry, row] = tensor.find_source(rows.first + i * rows.step);
    float* values = out.data() + i * columns;
    entry->view.decode_row_into(row, values);
    const float* bad = std::find_if(values, values + columns, [](float x) { return !std::isfinite(x); });
    if (bad != values + columns)
      return input_error(fmt::format("{}: the value at row {}, column {} is not finite; the checkpoint is damaged",
                                     source.checkpoint->describe(*entry), row, bad - values));
  }
  return out;
}

int64_t rows_of_matrix(const Shape& shape) { return shape.rows() / n_matrices_of(shape); }

}  // namespace

const Hessian& TensorRounder::hessian_of(const Moment* moment, int64_t n_inputs) {
  if (moment_ == moment && n_inputs_ == n_inputs) return hessian_;
  moment_ = moment;
  n_inputs_ = n_inputs;
  if (moment == nullptr) {
    hessian_ = Hessian::diagonal(std::vector<float>(static_cast<size_t>(n_inputs), 1.0F));
  } else if (moment->products.empty()) {
    std::vector<float> means;
    for (const double sum : moment->squares)
      means.push_back(static_cast<float>(sum / static_cast<double>(std::max<int64_t>(1, moment->n_rows))));
    hessian_ = Hessian::diagonal(means);
  } else {
    HessianOptions chosen = options_.hessian;
    if (options_.choose_shrinkage) chosen.shrinkage = default_shrinkage(moment->n_rows, n_inputs);
    hessian_ = Hessian::make(n_inputs, moment->products, moment->n_rows, chosen, threads_);
  }
  return hessian_;
}

Result<RoundedTensor> TensorRounder::round(size_t index, DType type) {
  const CanonicalTensor& tensor = source_.canonical.tensors[index];
  const int64_t columns = tensor.shape.columns(), matrix_rows = rows_of_matrix(tensor.shape);
  const auto row_size = static_cast<int64_t>(row_bytes(type, static_cast<uint64_t>(columns)).value_or(0));
  auto bytes = std::make_shared<std::vector<std::byte>>(static_cast<size_t>(tensor.shape.rows() * row_size));
  RoundedTensor out;
  const int64_t slab = std::max<int64_t>(1, kSlabValues / columns);
  for (int64_t matrix = 0; matrix < n_matrices_of(tensor.shape); ++matrix) {
    const Hessian& hessian = hessian_of(moments_.find({index, matrix}), columns);
    for (int64_t begin = 0; begin < matrix_rows; begin += slab) {
      const RowRange rows{matrix * matrix_rows + begin, std::min(slab, matrix_rows - begin)};
      SMELT_ASSIGN(const std::vector<float> w, decode_rows(source_, tensor, rows));
      const RoundingLoss loss =
          round_rows(type, w, hessian, options_.rounding, bytes->data() + rows.first * row_size, threads_);
      out.loss.diagonal += loss.diagonal;
      out.loss.chosen += loss.chosen;
    }
  }
  out.tensor = {type, std::move(bytes)};
  return out;
}

Result<double> TensorRounder::estimate_loss(size_t index, DType type) {
  const CanonicalTensor& tensor = source_.canonical.tensors[index];
  const int64_t columns = tensor.shape.columns(), matrix_rows = rows_of_matrix(tensor.shape);
  const auto row_size = static_cast<int64_t>(row_bytes(type, static_cast<uint64_t>(columns)).value_or(0));
  const int64_t step = (matrix_rows + kSampledRows - 1) / kSampledRows, count = (matrix_rows + step - 1) / step;
  std::vector<std::byte> bytes(static_cast<size_t>(count * row_size));
  double loss = 0;
  for (int64_t matrix = 0; matrix < n_matrices_of(tensor.shape); ++matrix) {
    const Hessian& hessian = hessian_of(moments_.find({index, matrix}), columns);
    SMELT_ASSIGN(const std::vector<float> w, decode_rows(source_, tensor, {matrix * matrix_rows, count, step}));
    const double sampled = round_rows(type, w, hessian, options_.rounding, bytes.data(), threads_).chosen;
    loss += sampled * static_cast<double>(matrix_rows) / static_cast<double>(count);
  }
  return loss;
}

}  // namespace smelt
