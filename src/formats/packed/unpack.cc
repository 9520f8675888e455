// The choice of a form by "quant_method", and what all forms need of a folder.
#include "formats/packed/unpack.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "formats/byte_reader.h"
#include "formats/packed/packed_form.h"
#include "formats/safetensors.h"
#include "tensor/half.h"

namespace smelt::packed {

#define SMELT_PACKED_FORM(name) extern const Form name##_form;
#include "formats/packed/forms.inc"
#undef SMELT_PACKED_FORM

namespace {

constexpr const Form* kForms[] = {
#define SMELT_PACKED_FORM(name) &name##_form,
#include "formats/packed/forms.inc"
#undef SMELT_PACKED_FORM
};

constexpr int64_t kMaxPackedValues = int64_t{1} << 40;

std::string full_key(std::string_view key) { return std::string(kPrefix) + std::string(key); }

bool is_quantized_folder(const Metadata& metadata) {
  return std::any_of(metadata.entries().begin(), metadata.entries().end(),
                     [](const auto& entry) { return entry.first.starts_with("quantization_config"); });
}

std::string config_path(const Checkpoint::Parts& parts) {
  return escape_for_display(parts.path, 4096) + "/config.json";
}

Result<const Form*> find_form(const Metadata& metadata) {
  const std::string key = full_key("quant_method");
  SMELT_ASSIGN(const auto method, metadata.find_string(key));
  if (!method) return input_error("key '" + key + "' is missing; start from the original model");
  std::string known;
  for (const Form* form : kForms) {
    if (*method == form->method) return form;
    known += (known.empty() ? "" : ", ") + std::string(form->method);
  }
  return input_error(fmt::format("{} is '{}', supported are {}; start from the original model", metadata.title(key),
                                 escape_for_display(*method), known));
}

void erase_config(Metadata& metadata) {
  std::vector<std::string> keys;
  for (const auto& [key, value] : metadata.entries()) {
    if (key.starts_with(kPrefix)) keys.push_back(key);
  }
  for (const std::string& key : keys) metadata.erase(key);
}

}  // namespace

Folder::Folder(const Checkpoint::Parts& parts, std::vector<RawTensor> tensors)
    : parts_(parts), tensors_(std::move(tensors)), is_used_(tensors_.size()) {
  for (size_t i = 0; i < tensors_.size(); ++i) index_.emplace(tensors_[i].name, i);
}

const RawTensor* Folder::find(const std::string& name) const {
  const auto found = index_.find(name);
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

const RawTensor* Folder::take(const std::string& name) {
  const RawTensor* tensor = find(name);
  if (tensor != nullptr) is_used_[static_cast<size_t>(tensor - tensors_.data())] = true;
  return tensor;
}

Result<const RawTensor*> Folder::take(const std::string& name, const RawTensor& for_tensor) {
  if (const RawTensor* tensor = take(name)) return tensor;
  return error(for_tensor,
               fmt::format("'{}', which belongs to it, is missing; fetch the model again", escape_for_display(name)));
}

Status Folder::add(PackedTensor tensor, const RawTensor& place) {
  if (tensor.shape.values() > kMaxPackedValues) return error(place, "is larger than any weight; the file is damaged");
  const auto same = index_.find(tensor.name);
  if (same != index_.end() && !is_used_[same->second]) {
    return error(place, fmt::format("'{}' is there besides; fetch the model again", escape_for_display(tensor.name)));
  }
  added_at_.emplace(static_cast<size_t>(&place - tensors_.data()), added_.size());
  added_.push_back(std::move(tensor));
  return {};
}

std::string Folder::describe(const RawTensor& tensor) const {
  const std::string& file =
      tensor.file_index < parts_.files.size() ? parts_.files[tensor.file_index]->path() : parts_.path;
  return fmt::format("{}: tensor '{}' at byte {}", escape_for_display(file, 4096), escape_for_display(tensor.name),
                     tensor.file_offset);
}

Error Folder::error(const RawTensor& tensor, const std::string& message) const {
  return input_error(fmt::format("{}: {}", describe(tensor), message));
}

Status Folder::check_shape(const RawTensor& tensor, const Shape& shape) const {
  if (tensor.shape == shape) return {};
  return error(tensor, fmt::format("shape is {}, the other tensors of its module want {}", tensor.shape.to_string(),
                                   shape.to_string()));
}

Status Folder::check_type(const RawTensor& tensor, std::initializer_list<StorageType> allowed) const {
  if (std::find(allowed.begin(), allowed.end(), tensor.type) != allowed.end()) return {};
  std::string wanted;
  for (const StorageType type : allowed) wanted += (wanted.empty() ? "" : " or ") + std::string(storage_name(type));
  return error(tensor, fmt::format("type is {}, wanted {}", storage_name(tensor.type), wanted));
}

Result<std::optional<int64_t>> Folder::find_int(std::string_view key) const {
  const MetaValue* value = metadata().find(full_key(key));
  if (value == nullptr) return std::optional<int64_t>();
  if (const auto* number = std::get_if<int64_t>(&value->value)) return std::optional<int64_t>(*number);
  SMELT_ASSIGN(const auto number, metadata().find_uint(full_key(key)));
  if (number && *number > INT64_MAX) return bad_value(key, std::to_string(*number), "which is too large");
  return number ? std::optional<int64_t>(static_cast<int64_t>(*number)) : std::nullopt;
}

Result<bool> Folder::find_bool(std::string_view key, bool fallback) const {
  SMELT_ASSIGN(const auto value, metadata().find_bool(full_key(key)));
  return value.value_or(fallback);
}

Result<std::string> Folder::find_string(std::string_view key, const std::string& fallback) const {
  SMELT_ASSIGN(const auto value, metadata().find_string(full_key(key)));
  return value.value_or(fallback);
}

Error Folder::bad_value(std::string_view key, const std::string& value, const std::string& wanted) const {
  return input_error(fmt::format("{} is {}, {}", metadata().title(full_key(key)), escape_for_display(value), wanted));
}

Status Folder::check_keys(std::span<const std::string_view> known) const {
  for (const auto& [key, value] : metadata().entries()) {
    if (!key.starts_with(kPrefix)) continue;
    const std::string_view name = std::string_view(key).substr(kPrefix.size());
    const bool is_known = std::any_of(known.begin(), known.end(), [&](std::string_view k) {
      return k == name || (k.ends_with('.') && name.starts_with(k));
    });
    if (is_known || name == "quant_method") continue;
    return input_error(
        fmt::format("{} is not a setting that is known here; what it says of the weights might be lost, "
                    "so start from the original model",
                    metadata().title(key)));
  }
  return {};
}

DType Folder::model_dtype(DType fallback) const {
  for (const char* key : {"dtype", "torch_dtype"}) {
    const MetaValue* value = metadata().find(key);
    const auto* name = value == nullptr ? nullptr : std::get_if<std::string>(&value->value);
    if (name == nullptr) continue;
    if (*name == "float16") return DType::f16;
    if (*name == "bfloat16") return DType::bf16;
    if (*name == "float32") return DType::f32;
  }
  return fallback;
}

Status Folder::finish(Checkpoint::Parts& parts) {
  SMELT_ASSIGN(parts.decoded, DecodedTensors::reserve(std::move(added_)));
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const RawTensor& raw = tensors_[i];
    if (const auto at = added_at_.find(i); at != added_at_.end()) {
      parts.tensors.push_back({.name = parts.decoded->name(at->second),
                               .view = parts.decoded->view(at->second),
                               .file_index = raw.file_index,
                               .file_offset = raw.file_offset});
    }
    if (is_used_[i]) continue;
    const bool has_file = raw.file_index < parts.files.size();
    SMELT_ASSIGN(TensorEntry plain, plain_tensor(raw, has_file ? parts.files[raw.file_index]->path() : parts.path));
    parts.tensors.push_back(std::move(plain));
  }
  return {};
}

Status unpack(Checkpoint::Parts& parts, std::vector<RawTensor> tensors) {
  Folder folder(parts, std::move(tensors));
  if (!is_quantized_folder(parts.metadata)) return folder.finish(parts);
  SMELT_ASSIGN(const Form* form, find_form(parts.metadata).with_context(config_path(parts)));
  SMELT_ASSIGN(const std::string what, form->read(folder));
  const size_t n = folder.n_added();
  if (n == 0) {
    return input_error(fmt::format("{}: {} is '{}', but no tensor is packed so; start from the original model",
                                   config_path(parts), parts.metadata.title(full_key("quant_method")), form->method));
  }
  SMELT_TRY(folder.finish(parts));
  erase_config(parts.metadata);
  log(LogLevel::note, fmt::format("{}: {}: {} tensors are decoded to {}", escape_for_display(parts.path, 4096), what, n,
                                  dtype_name(parts.decoded->view(0).dtype)));
  return {};
}

std::optional<std::string> without_suffix(const std::string& name, std::string_view suffix) {
  if (name.size() <= suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  return name.substr(0, name.size() - suffix.size());
}

FloatTensor::FloatTensor(const RawTensor& tensor)
    : dtype_(plain_dtype(tensor.type).value_or(DType::f32)), data_(tensor.bytes.data()) {}

float FloatTensor::operator[](int64_t i) const {
  if (dtype_ == DType::f32) return load_little_endian<float>(data_ + i * 4);
  const auto bits = load_little_endian<uint16_t>(data_ + i * 2);
  return dtype_ == DType::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

}  // namespace smelt::packed
