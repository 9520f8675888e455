// safetensors: JSON header + contiguous little-endian data. Reader for one file and writer; the folder around it
// (config.json, index, shards) is hf_folder.h.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/atomic_file.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/gguf.h"

namespace smelt {

// Fuzz target, like parse_gguf. Refuses duplicate keys, holes, overlaps, trailing bytes, unknown dtypes used by a tensor
// (F32, F16, BF16 and I8 are supported; others are refused by name).
Result<std::vector<TensorEntry>> parse_safetensors(std::span<const std::byte> bytes, const std::string& file_name);

class SafetensorsWriter {
 public:
  static Result<SafetensorsWriter> create(const std::string& path, const std::vector<TensorDeclaration>& tensors,
                                          const std::vector<std::pair<std::string, std::string>>& metadata,
                                          Overwrite overwrite);
  Status write(std::span<const std::byte> bytes);  // in declared order, as in GgufWriter
  Status next_tensor();
  Status commit();
  SafetensorsWriter(SafetensorsWriter&&) noexcept;
  ~SafetensorsWriter();

 private:
  struct State;
  explicit SafetensorsWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace smelt
