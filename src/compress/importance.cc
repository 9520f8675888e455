#include "compress/importance.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace smelt {
namespace {

// Mean squares of every matrix of the tensor; a file of the older form has those of all experts in one row.
Result<std::vector<float>> means_of(const ImatrixEntry& entry, const CanonicalTensor& tensor, const std::string& file) {
  const int64_t n_matrices = n_matrices_of(tensor.shape), columns = tensor.shape.columns();
  const bool is_joined = entry.n_matrices() == 1 && entry.n_columns == n_matrices * columns;
  if (!is_joined && (entry.n_columns != columns || entry.n_matrices() != n_matrices))
    return input_error(fmt::format(
        "{}: has {} x {} importances of '{}', which is {} in the model; it was made for another model", file,
        entry.n_matrices(), entry.n_columns, escape_for_display(tensor.name), tensor.shape.to_string()));
  std::vector<float> means(static_cast<size_t>(n_matrices * columns));
  for (int64_t m = 0; m < entry.n_matrices(); ++m) entry.means_into(m, means.data() + m * entry.n_columns);
  return means;
}

}  // namespace

Result<Importance> Importance::make(const Imatrix& imatrix, const CanonicalModel& model, std::string file) {
  Importance out;
  for (const CanonicalTensor& tensor : model.tensors) {
    const ImatrixEntry* entry = imatrix.find(tensor.name);
    if (entry == nullptr) continue;
    SMELT_ASSIGN(out.means_[tensor.name], means_of(*entry, tensor, escape_for_display(file, 4096)));
  }
  if (out.means_.empty())
    return input_error(fmt::format("{}: has nothing about the tensors of this model; it was made for another one",
                                   escape_for_display(file, 4096)));
  out.file_ = std::move(file);
  out.dataset_ = imatrix.datasets.empty() ? "" : imatrix.datasets.front();
  out.n_chunks_ = imatrix.n_chunks;
  return out;
}

bool Importance::row_into(const CanonicalTensor& tensor, int64_t r, float* out) const {
  const auto at = means_.find(tensor.name);
  if (at == means_.end()) return false;
  const int64_t columns = tensor.shape.columns();
  const int64_t rows_of_matrix = tensor.shape.rows() / n_matrices_of(tensor.shape);
  std::copy_n(at->second.data() + r / rows_of_matrix * columns, columns, out);
  return true;
}

void Importance::describe(Metadata& metadata) const {
  metadata.set("quantize.imatrix.file", MetaValue::of_string(file_.substr(file_.find_last_of('/') + 1)));
  if (!dataset_.empty()) metadata.set("quantize.imatrix.dataset", MetaValue::of_string(dataset_));
  metadata.set("quantize.imatrix.entries_count", MetaValue::of_u32(static_cast<uint32_t>(means_.size())));
  if (n_chunks_ > 0) metadata.set("quantize.imatrix.chunks_count", MetaValue::of_u32(n_chunks_));
}

}  // namespace smelt
