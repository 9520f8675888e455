// What the readers of packed weights share: the folder's raw tensors and "quantization_config", from which each form
// takes what is its own and makes tensors that decode themselves. A form is one file and one line in forms.inc.
// Internal to formats/.
#pragma once

#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "formats/checkpoint.h"
#include "formats/decoded_tensors.h"
#include "formats/raw_tensor.h"

namespace smelt::packed {

inline constexpr std::string_view kPrefix = "quantization_config.";

// A module "model.layers.0.mlp.up_proj" with its tensors; every error names the one that is wrong.
class Folder {
 public:
  Folder(const Checkpoint::Parts& parts, std::vector<RawTensor> tensors);

  const Metadata& metadata() const { return parts_.metadata; }
  const std::vector<RawTensor>& tensors() const { return tensors_; }
  const RawTensor* find(const std::string& name) const;
  // The tensor, which is then used up: it does not appear as one of its own.
  const RawTensor* take(const std::string& name);
  // The same where it must be there: `for_tensor` needs it.
  Result<const RawTensor*> take(const std::string& name, const RawTensor& for_tensor);
  // A decoded tensor in the place of its codes; no other may have its name.
  Status add(PackedTensor tensor, const RawTensor& place);
  size_t n_added() const { return added_.size(); }

  std::string describe(const RawTensor& tensor) const;  // "FILE: tensor 'NAME' at byte N"
  Error error(const RawTensor& tensor, const std::string& message) const;
  Status check_shape(const RawTensor& tensor, const Shape& shape) const;
  Status check_type(const RawTensor& tensor, std::initializer_list<StorageType> allowed) const;

  // Of the configuration; `key` comes without the prefix.
  Result<std::optional<int64_t>> find_int(std::string_view key) const;
  Result<bool> find_bool(std::string_view key, bool fallback) const;
  Result<std::string> find_string(std::string_view key, const std::string& fallback) const;
  Error bad_value(std::string_view key, const std::string& value, const std::string& wanted) const;
  // Refuses keys that are none of these; those that end in '.' stand for all that begin so.
  Status check_keys(std::span<const std::string_view> known) const;
  // The type that the model computes in ("dtype", "torch_dtype"), or `fallback`.
  DType model_dtype(DType fallback) const;

  // All tensors: those that stand for themselves and the decoded ones in the places of their codes.
  Status finish(Checkpoint::Parts& parts);

 private:
  const Checkpoint::Parts& parts_;
  std::vector<RawTensor> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<bool> is_used_;
  std::vector<PackedTensor> added_;
  std::unordered_map<size_t, size_t> added_at_;  // by place
};

struct Form {
  const char* method;  // "quant_method"
  // Takes and adds tensors; returns what was found, for a note: "GPTQ, 4 bits, groups of 128".
  Result<std::string> (*read)(Folder& folder);
};

// NAME less the ending, or nothing.
std::optional<std::string> without_suffix(const std::string& name, std::string_view suffix);
// Value i of a matrix of f32, f16 or bf16 (checked) as f32.
class FloatTensor {
 public:
  FloatTensor() = default;
  explicit FloatTensor(const RawTensor& tensor);
  float operator[](int64_t i) const;
  DType dtype() const { return dtype_; }

 private:
  DType dtype_ = DType::f32;
  const std::byte* data_ = nullptr;
};
inline constexpr std::initializer_list<StorageType> kFloats = {StorageType::f16, StorageType::bf16, StorageType::f32};

}  // namespace smelt::packed
