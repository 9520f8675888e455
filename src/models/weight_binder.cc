// Binding of tensors to fields.
#include "models/weight_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace smelt {

Result<const TensorEntry*> WeightBinder::find(const char* gguf_name, int64_t layer, Presence presence) const {
  const TensorName* name = find_tensor_name(family_, gguf_name, Dialect::gguf);
  if (name == nullptr && presence == Presence::optional) return nullptr;  // not a tensor of this family
  const bool is_gguf = checkpoint_.dialect() == Dialect::gguf || name == nullptr;
  const std::string full_name = layer_name(is_gguf ? gguf_name : name->hugging_face, layer);
  const TensorEntry* tensor = checkpoint_.find_tensor(full_name);
  if (tensor == nullptr && presence == Presence::required) {
    return input_error(fmt::format("{}: tensor '{}' is missing; the model is incomplete or of another architecture",
                                   checkpoint_.path(), full_name));
  }
  return tensor;
}

Status WeightBinder::check_shape(const TensorEntry& tensor, const Shape& shape) const {
  if (tensor.view.shape == shape) return {};
  return input_error(fmt::format("{}: shape is {}, the configuration wants {}", checkpoint_.describe(tensor),
                                 tensor.view.shape.to_string(), shape.to_string()));
}

Status WeightBinder::bind(const char* gguf_name, int64_t layer, const Shape& shape, TensorView& out,
                          Presence presence) const {
  SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, presence));
  if (tensor == nullptr) return {};
  SMELT_TRY(check_shape(*tensor, shape));
  if (tensor->view.dtype == DType::i8) {
    return input_error(
        fmt::format("{}: type I8 has no scale and cannot be a weight here", checkpoint_.describe(*tensor)));
  }
  out = tensor->view;
  return {};
}

Status WeightBinder::bind(const char* gguf_name, int64_t layer, int64_t n, std::vector<float>& out,
                          Presence presence) const {
  SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, presence));
  if (tensor == nullptr) return {};
  SMELT_TRY(check_shape(*tensor, Shape{n}));
  const DType dtype = tensor->view.dtype;
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) {
    return input_error(
        fmt::format("{}: type is {}, wanted F32, F16 or BF16", checkpoint_.describe(*tensor), dtype_name(dtype)));
  }
  out.resize(static_cast<size_t>(n));
  tensor->view.decode_row_into(0, out.data());
  return {};
}

Status WeightBinder::check_layers(int64_t n_layers, const std::string& key) const {
  int64_t found = 0;
  for (const TensorEntry& tensor : checkpoint_.tensors()) {
    const NamePattern name = parse_name(tensor.name);
    if (find_tensor_name(family_, name.pattern, checkpoint_.dialect()) != nullptr)
      found = std::max(found, name.layer + 1);
  }
  if (found == n_layers) return {};
  return input_error(fmt::format("{}: {} is {}, but the tensors are those of {} layers", config_file(checkpoint_),
                                 checkpoint_.metadata().title(key), n_layers, found));
}

}  // namespace smelt
