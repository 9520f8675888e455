// Which tensor of a model, in GGUF's terms, a matrix of a forward pass is: views of a pass point into the checkpoint's
// tensors. Matrices that exist in memory only (a Hugging Face GPT-2's, transposed) are not found.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "models/canonical.h"

namespace smelt {

struct WeightPlace {
  size_t tensor = 0;   // of CanonicalModel::tensors
  int64_t matrix = 0;  // expert; 0 elsewhere
  auto operator<=>(const WeightPlace&) const = default;
};

class WeightIndex {
 public:
  explicit WeightIndex(const CanonicalModel& model);
  // Nothing for a view outside of all tensors.
  std::optional<WeightPlace> find(const TensorView& view) const;

 private:
  struct Range {
    const std::byte* end;
    WeightPlace first;
    uint64_t matrix_bytes;
  };
  std::map<const std::byte*, Range> ranges_;  // by their beginning
};

}  // namespace smelt
