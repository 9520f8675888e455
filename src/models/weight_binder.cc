// Binding of tensors to fields.
#include "models/weight_binder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "tensor/rows16.h"

namespace smelt {
namespace {

// Rows of each head, half-split ↔ interleaved: pair i of a head is rows (i, i + half) there and (2i, 2i + 1) here.
std::vector<int32_t> reorder_heads(int64_t n_heads, int64_t d_head, Dialect target) {
  std::vector<int32_t> order(static_cast<size_t>(n_heads * d_head));
  const int64_t half = d_head / 2;
  for (int64_t h = 0; h < n_heads; ++h) {
    for (int64_t i = 0; i < d_head; ++i) {
      const int64_t split = h * d_head + i;
      const int64_t interleaved = h * d_head + 2 * (i % half) + i / half;
      const bool to_gguf = target == Dialect::gguf;
      order[static_cast<size_t>(to_gguf ? interleaved : split)] = static_cast<int32_t>(to_gguf ? split : interleaved);
    }
  }
  return order;
}

// [head][query, key, value][d_head] ↔ [query, key, value][head][d_head].
std::vector<int32_t> split_fused_heads(int64_t n_heads, int64_t d_head, Dialect target) {
  std::vector<int32_t> order(static_cast<size_t>(3 * n_heads * d_head));
  for (int64_t h = 0; h < n_heads; ++h) {
    for (int64_t part = 0; part < 3; ++part) {
      for (int64_t i = 0; i < d_head; ++i) {
        const int64_t there = (h * 3 + part) * d_head + i;
        const int64_t here = (part * n_heads + h) * d_head + i;
        const bool to_gguf = target == Dialect::gguf;
        order[static_cast<size_t>(to_gguf ? here : there)] = static_cast<int32_t>(to_gguf ? there : here);
      }
    }
  }
  return order;
}

Error wrong_type(const Checkpoint& checkpoint, const TensorEntry& tensor, const char* wanted) {
  return input_error(
      fmt::format("{}: type is {}, wanted {}", checkpoint.describe(tensor), dtype_name(tensor.view.dtype), wanted));
}

bool is_plain(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

std::vector<std::byte> reorder(const TensorView& view, const std::vector<int32_t>& order) {
  std::vector<std::byte> bytes(view.bytes.size());
  const auto row = static_cast<size_t>(view.row_size());
  for (size_t r = 0; r < order.size(); ++r) std::memcpy(bytes.data() + r * row, view.row(order[r]), row);
  return bytes;
}

}  // namespace

std::vector<int32_t> row_order(RowOrder order, const ModelConfig& config, Dialect target) {
  switch (order) {
    case RowOrder::same:
      return {};
    case RowOrder::query_heads:
      return reorder_heads(config.n_heads, config.d_head, target);
    case RowOrder::key_heads:
      return reorder_heads(config.n_kv_heads, config.d_head, target);
    case RowOrder::fused_heads:
      return split_fused_heads(config.n_heads, config.d_head, target);
  }
  return {};
}

Result<std::vector<std::byte>> transpose(const TensorView& view) {
  if (view.shape.rank != 2 || !is_plain(view.dtype)) return input_error("only matrices in F32, F16 or BF16 are turned");
  const auto size = static_cast<size_t>(view.dtype == DType::f32 ? 4 : 2);
  const auto rows = static_cast<size_t>(view.rows());
  const auto columns = static_cast<size_t>(view.columns());
  std::vector<std::byte> bytes(view.bytes.size());
  for (size_t r = 0; r < rows; ++r) {
    for (size_t c = 0; c < columns; ++c) {
      std::memcpy(bytes.data() + (c * rows + r) * size, view.bytes.data() + (r * columns + c) * size, size);
    }
  }
  return bytes;
}

std::vector<float> decode_values(const TensorView& view) {
  std::vector<float> values(static_cast<size_t>(view.shape.values()));
  for (int64_t r = 0; r < view.rows(); ++r) view.decode_row_into(r, values.data() + r * view.columns());
  return values;
}

Result<TensorView> rows_of(const TensorView& matrix, int64_t begin, int64_t n) {
  TensorView part = matrix;
  if (matrix.layout == Layout::rows16 && (begin % kRows16 != 0 || n % kRows16 != 0)) {
    return input_error(
        fmt::format("a fused matrix of {} rows cannot be parted at row {} in its repacked form; "
                    "start from the file that it was repacked from",
                    matrix.rows(), begin % kRows16 != 0 ? begin : begin + n));
  }
  const uint64_t row = matrix.row_size();  // of interleaved ones on average
  part.shape = {n, matrix.columns()};
  part.bytes = matrix.bytes.subspan(static_cast<uint64_t>(begin) * row, static_cast<uint64_t>(n) * row);
  return part;
}

bool WeightBinder::knows(const char* gguf_name) const {
  return find_tensor_name(family_, gguf_name, Dialect::gguf) != nullptr;
}

bool WeightBinder::has(const char* gguf_name, int64_t layer) const {
  const auto tensor = find(gguf_name, layer, Presence::optional);
  return tensor && *tensor != nullptr;
}

Presence WeightBinder::presence(const char* gguf_name) const {
  const TensorName* name = find_tensor_name(family_, gguf_name, Dialect::gguf);
  return name == nullptr ? Presence::optional : name->presence;
}

Result<const TensorEntry*> WeightBinder::find(const char* gguf_name, int64_t layer, Presence presence,
                                              int64_t expert) const {
  const TensorName* name = find_tensor_name(family_, gguf_name, Dialect::gguf);
  if (name == nullptr && presence == Presence::optional) return nullptr;  // not a tensor of this family
  const TensorEntry* tensor = name == nullptr ? nullptr : find_tensor(checkpoint_, family_, *name, layer, expert);
  if (tensor == nullptr && presence == Presence::required) {
    const bool is_gguf = !is_foreign() || name == nullptr;
    const std::string full_name = layer_name(is_gguf ? gguf_name : name->hugging_face, layer, expert);
    return input_error(fmt::format("{}: tensor '{}' is missing; the model is incomplete or of another architecture",
                                   checkpoint_.path(), full_name));
  }
  if (tensor != nullptr) SMELT_TRY(checkpoint_.prepare(*tensor));
  return tensor;
}

Status WeightBinder::check_shape(const TensorEntry& tensor, const Shape& shape) const {
  if (tensor.view.shape == shape) return {};
  return input_error(fmt::format("{}: shape is {}, the configuration wants {}", checkpoint_.describe(tensor),
                                 tensor.view.shape.to_string(), shape.to_string()));
}

Status WeightBinder::check_matrix(const TensorEntry& tensor, const Shape& shape) const {
  SMELT_TRY(check_shape(tensor, shape));
  if (tensor.view.dtype != DType::i8) return {};
  return input_error(fmt::format("{}: type I8 has no scale and cannot be a weight here", checkpoint_.describe(tensor)));
}

Status WeightBinder::bind_experts(const char* gguf_name, int64_t layer, const Shape& shape,
                                  std::vector<TensorView>& out) const {
  out.clear();
  const bool is_split = is_foreign() && is_per_expert(*find_tensor_name(family_, gguf_name, Dialect::gguf));
  const int64_t n = config_.n_experts;
  for (int64_t e = 0; e < n && is_split; ++e) {
    SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, Presence::required, e));
    SMELT_TRY(check_matrix(*tensor, shape));
    out.push_back(tensor->view);
  }
  if (is_split) return {};
  SMELT_ASSIGN(const TensorEntry* all, find(gguf_name, layer, Presence::required));
  SMELT_TRY(check_matrix(*all, Shape{n, shape[0], shape[1]}));
  for (int64_t e = 0; e < n; ++e) {
    SMELT_ASSIGN(const TensorView one, rows_of(all->view, e * shape[0], shape[0]));
    out.push_back(one);
  }
  return {};
}

Status WeightBinder::bind_table(const char* gguf_name, int64_t layer, const Shape& shape,
                                std::vector<float>& out) const {
  SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, Presence::required));
  SMELT_TRY(check_matrix(*tensor, shape));
  out = decode_values(tensor->view);
  return {};
}

Status WeightBinder::bind(const char* gguf_name, int64_t layer, const Shape& shape, TensorView& out, Presence presence,
                          OwnedTensors& owned) const {
  SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, presence));
  if (tensor == nullptr) return {};
  const TensorName* name = find_tensor_name(family_, gguf_name, Dialect::gguf);
  const bool is_transposed = is_foreign() && name->form == ValueForm::transposed;
  if (is_foreign() && name->form == ValueForm::positions) {
    const int64_t n_skipped = config_.encoder->n_skipped_positions;
    SMELT_TRY(check_matrix(*tensor, Shape{shape[0] + n_skipped, shape[1]}));
    SMELT_ASSIGN(out, rows_of(tensor->view, n_skipped, shape[0]));
    return {};
  }
  SMELT_TRY(check_matrix(*tensor, is_transposed ? Shape{shape[1], shape[0]} : shape));
  out = tensor->view;
  const bool is_reordered = is_foreign() && name->order == RowOrder::fused_heads;
  if (!is_transposed && !is_reordered) return {};
  if (!is_plain(out.dtype)) return wrong_type(checkpoint_, *tensor, "F32, F16 or BF16");
  std::vector<std::byte> bytes;
  if (is_transposed) {
    SMELT_ASSIGN(bytes, transpose(out));
  } else {
    bytes = reorder(out, row_order(name->order, config_, Dialect::gguf));
  }
  owned.push_back(std::make_shared<const std::vector<std::byte>>(std::move(bytes)));
  out.shape = shape;
  out.bytes = *owned.back();
  return {};
}

Status WeightBinder::bind(const char* gguf_name, int64_t layer, int64_t n, std::vector<float>& out,
                          Presence presence) const {
  SMELT_ASSIGN(const TensorEntry* tensor, find(gguf_name, layer, presence));
  if (tensor == nullptr) return {};
  const TensorName* name = find_tensor_name(family_, gguf_name, Dialect::gguf);
  const bool is_flat = name == nullptr || (name->form == ValueForm::row && tensor->view.shape.rank == 1);
  const ValueForm form = is_flat ? ValueForm::same : name->form;
  SMELT_TRY(check_shape(*tensor, form_shape(form, checkpoint_.dialect(), n, config_)));
  if (!is_plain(tensor->view.dtype)) return wrong_type(checkpoint_, *tensor, "F32, F16 or BF16");
  out = decode_values(tensor->view);
  if (!is_foreign()) return {};
  if (form == ValueForm::log_a) {
    for (float& value : out) value = -std::exp(value);
  }
  if (name->form == ValueForm::plus_one) {
    for (float& value : out) value += 1.0F;
  }
  if (name->order != RowOrder::fused_heads) return {};
  const std::vector<float> there = out;
  const std::vector<int32_t> order = row_order(name->order, config_, Dialect::gguf);
  for (size_t i = 0; i < order.size(); ++i) out[i] = there[static_cast<size_t>(order[i])];
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
