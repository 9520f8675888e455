// Weights repacked at load into the layout of the int8 kernels (tensor/rows16.h), tensor by tensor: the pages of the
// file are given back as they are read, so that only one copy is resident. Called by the families' load.
#pragma once

#include <span>

#include "base/large_memory.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "tensor/tensor_view.h"

namespace smelt {

class PackedWeights {
 public:
  PackedWeights() = default;
  // Repacks each of these matrices whose type has the layout and whose view is not of it already, and lets the view
  // show the packed copy. Views of the same bytes share one. The views are valid as long as this object is.
  static Result<PackedWeights> pack(std::span<TensorView* const> matrices, const Checkpoint& checkpoint);

 private:
  explicit PackedWeights(LargeMemory memory) : memory_(std::move(memory)) {}
  LargeMemory memory_;
};

// Row r of a matrix in either layout, as f32. scratch: room for one row of stock blocks.
void decode_matrix_row_into(const TensorView& matrix, int64_t r, std::byte* scratch, float* out);

}  // namespace smelt
