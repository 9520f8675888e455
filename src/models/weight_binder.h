// Finds tensors of a checkpoint by GGUF's names in whatever dialect it is written, checks type and shape, and brings
// what Hugging Face keeps in another form into GGUF's. Called by the families' bind_weights. Errors name file, tensor,
// byte offset, what is there and what was wanted.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "models/family.h"

namespace smelt {

// Tensors that are in no file in this form.
using OwnedTensors = std::vector<std::shared_ptr<const std::vector<std::byte>>>;

class WeightBinder {
 public:
  WeightBinder(const Checkpoint& checkpoint, const ModelFamily& family, const ModelConfig& config)
      : checkpoint_(checkpoint), family_(family), config_(config) {}

  // Whether the family knows this tensor.
  bool knows(const char* gguf_name) const;
  // Whether it is there.
  bool has(const char* gguf_name, int64_t layer) const;
  // Required or not by the family's table; names that are not in it are optional.
  Presence presence(const char* gguf_name) const;

  // A matrix, used in place in any dtype that can be decoded. An absent optional one leaves an empty view.
  Status bind(const char* gguf_name, int64_t layer, const Shape& shape, TensorView& out, Presence presence,
              OwnedTensors& owned) const;
  // A vector, copied as f32 (F32, F16 or BF16 in the file). An absent optional one leaves it empty.
  Status bind(const char* gguf_name, int64_t layer, int64_t n, std::vector<float>& out, Presence presence) const;
  // A matrix, copied as f32.
  Status bind_table(const char* gguf_name, int64_t layer, const Shape& shape, std::vector<float>& out) const;
  // A matrix of this shape for each expert, from one tensor of all or one of each.
  Status bind_experts(const char* gguf_name, int64_t layer, const Shape& shape, std::vector<TensorView>& out) const;
  // As many layers as the configuration says have tensors, not fewer and not more.
  Status check_layers(int64_t n_layers, const std::string& key) const;

 private:
  Result<const TensorEntry*> find(const char* gguf_name, int64_t layer, Presence presence, int64_t expert = -1) const;
  Status check_matrix(const TensorEntry& tensor, const Shape& shape) const;
  Status check_shape(const TensorEntry& tensor, const Shape& shape) const;
  bool is_foreign() const { return checkpoint_.dialect() == Dialect::hugging_face; }
  const Checkpoint& checkpoint_;
  const ModelFamily& family_;
  const ModelConfig& config_;
};

// Target row r of a tensor in GGUF's form is row order[r] of Hugging Face's (or the way back, for that target); empty
// where rows stay. Query and key rows are views for half-split RoPE there and are rotated so, not reordered.
std::vector<int32_t> row_order(RowOrder order, const ModelConfig& config, Dialect target);
// All values of a tensor of any type, as f32.
std::vector<float> decode_values(const TensorView& view);
// Rows become columns; for dtypes of whole bytes a value.
Result<std::vector<std::byte>> transpose(const TensorView& view);

// Rows [begin, begin + n) of a matrix. Rows that lie 16 interleaved can only be parted at multiples of 16.
Result<TensorView> rows_of(const TensorView& matrix, int64_t begin, int64_t n);

}  // namespace smelt
