#include "shrink/working_model.h"

#include "base/check.h"

namespace smelt {

Result<std::shared_ptr<const Model>> load_with(const SourceModel& source, const NewTensors& changed) {
  const Checkpoint& from = *source.checkpoint;
  SMELT_CHECK(from.dialect() == Dialect::gguf);
  Checkpoint::Parts parts{.path = from.path(),
                          .format_name = from.format_name(),
                          .dialect = from.dialect(),
                          .metadata = from.metadata(),
                          .tensors = from.tensors(),
                          .files = from.files()};
  std::map<std::string_view, const NewTensor*> by_name;
  for (const auto& [index, tensor] : changed) by_name[source.canonical.tensors[index].name] = &tensor;
  for (TensorEntry& entry : parts.tensors) {
    const auto at = by_name.find(entry.name);
    if (at == by_name.end()) continue;
    entry.view = {.dtype = at->second->dtype, .shape = entry.view.shape, .bytes = *at->second->bytes};
    parts.buffers.push_back(at->second->bytes);
  }
  return Model::load(std::make_shared<const Checkpoint>(std::move(parts)), Compute::f32);
}

}  // namespace smelt
