#include "shrink/weight_index.h"

#include <algorithm>

namespace smelt {

WeightIndex::WeightIndex(const CanonicalModel& model) {
  for (size_t i = 0; i < model.tensors.size(); ++i) {
    const CanonicalTensor& tensor = model.tensors[i];
    const auto n_parts = static_cast<int64_t>(tensor.more.size() + 1);
    const int64_t matrices_of_part = std::max<int64_t>(1, n_matrices_of(tensor.shape) / n_parts);
    for (int64_t part = 0; part < n_parts; ++part) {
      const TensorView& view = (part == 0 ? tensor.source : tensor.more[static_cast<size_t>(part - 1)])->view;
      if (view.bytes.empty()) continue;
      const int64_t first = n_matrices_of(tensor.shape) == 1 ? 0 : part * matrices_of_part;
      ranges_[view.bytes.data()] = {view.bytes.data() + view.bytes.size(),
                                    {i, first},
                                    view.bytes.size() / static_cast<uint64_t>(matrices_of_part)};
    }
  }
}

std::optional<WeightPlace> WeightIndex::find(const TensorView& view) const {
  auto at = ranges_.upper_bound(view.bytes.data());
  if (at == ranges_.begin()) return std::nullopt;
  --at;
  if (view.bytes.data() >= at->second.end) return std::nullopt;
  WeightPlace place = at->second.first;
  place.matrix += static_cast<int64_t>(static_cast<uint64_t>(view.bytes.data() - at->first) / at->second.matrix_bytes);
  return place;
}

}  // namespace smelt
