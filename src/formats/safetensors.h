// safetensors: JSON header + contiguous little-endian data. Reader for one file and writer; the folder around it
// (config.json, index, shards) is hf_folder.h.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/gguf.h"
#include "formats/raw_tensor.h"

namespace smelt {

// The element types that both sides know; the format's names for them are the same as dtype_name's.
inline constexpr std::array kSafetensorsDTypes = {DType::f32, DType::f16, DType::bf16, DType::i8};

// Fuzz target, like parse_gguf. Refuses duplicate keys, holes, overlaps, trailing bytes, unknown dtypes used by a
// tensor. Data need not be aligned to its type: old files are not.
Result<std::vector<RawTensor>> parse_raw_safetensors(std::span<const std::byte> bytes, const std::string& file_name);
// A tensor of numbers that stand for themselves: F32, F16, BF16 and I8; other types are refused by name.
Result<TensorEntry> plain_tensor(const RawTensor& raw, const std::string& file_name);
// Both for all tensors of a file.
Result<std::vector<TensorEntry>> parse_safetensors(std::span<const std::byte> bytes, const std::string& file_name);

class SafetensorsWriter {
 public:
  // Tensors of different types must be declared widest first, so that each is aligned as other readers expect.
  static Result<SafetensorsWriter> create(const std::string& path, const std::vector<TensorDeclaration>& tensors,
                                          const std::vector<std::pair<std::string, std::string>>& metadata,
                                          Overwrite overwrite);
  Status write(std::span<const std::byte> bytes);  // in declared order, as in GgufWriter
  Status next_tensor();
  Status commit();
  uint64_t size() const;  // bytes of the finished file
  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();

 private:
  struct State;
  explicit SafetensorsWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace smelt
