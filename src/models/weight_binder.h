// Finds tensors of a checkpoint by GGUF's names in whatever dialect it is written, and checks type and shape. Called by
// the families' bind_weights. Errors name file, tensor, byte offset, what is there and what was wanted.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "formats/checkpoint.h"
#include "models/family.h"

namespace smelt {

enum class Presence { required, optional };

class WeightBinder {
 public:
  WeightBinder(const Checkpoint& checkpoint, const ModelFamily& family) : checkpoint_(checkpoint), family_(family) {}

  // A matrix, used in place in any dtype that can be decoded. An absent optional one leaves an empty view.
  Status bind(const char* gguf_name, int64_t layer, const Shape& shape, TensorView& out,
              Presence presence = Presence::required) const;
  // A vector, copied as f32 (F32, F16 or BF16 in the file). An absent optional one leaves it empty.
  Status bind(const char* gguf_name, int64_t layer, int64_t n, std::vector<float>& out,
              Presence presence = Presence::required) const;
  // As many layers as the configuration says have tensors, not fewer and not more.
  Status check_layers(int64_t n_layers, const std::string& key) const;

 private:
  Result<const TensorEntry*> find(const char* gguf_name, int64_t layer, Presence presence) const;
  Status check_shape(const TensorEntry& tensor, const Shape& shape) const;
  const Checkpoint& checkpoint_;
  const ModelFamily& family_;
};

}  // namespace smelt
