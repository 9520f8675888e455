// GGUF: the single-file format of llama.cpp, versions 2 and 3, split files included (ggml-org/ggml docs/gguf.md).
// Reader and writer. The writer streams: declare all tensors, then write their data in that order.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/atomic_file.h"
#include "base/mapped_file.h"
#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

// One file's header. Tensor views point into `bytes`. `file_name` is only used in messages. This is the fuzz target:
// any bytes at all give a value or an error, within time and memory proportional to the input's size.
struct GgufContents {
  uint32_t version = 0;
  uint32_t alignment = 32;
  Metadata metadata;
  std::vector<TensorEntry> tensors;
  uint64_t data_offset = 0;
};
Result<GgufContents> parse_gguf(std::span<const std::byte> bytes, const std::string& file_name);

// Opens a file or, from its first part, a split set ("-00001-of-00003.gguf", split.no / split.count /
// split.tensors.count).
Result<Checkpoint> open_gguf(const std::string& path);

struct TensorDeclaration {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  Layout layout = Layout::rows;
};

class GgufWriter {
 public:
  // Writes the header (version 3, alignment 32) to a temporary file. The caller gives general.* keys in `metadata`;
  // those of the old file's layout (general.alignment, split.*) are left out. Names are at most 63 bytes, as llama.cpp
  // asks.
  static Result<GgufWriter> create(const std::string& path, const Metadata& metadata,
                                   const std::vector<TensorDeclaration>& tensors, Overwrite overwrite);
  // Appends to the data of the current tensor; data of tensors must come in the declared order and with the declared
  // size in all (next_tensor checks it; commit checks the last).
  Status write(std::span<const std::byte> bytes);
  Status next_tensor();
  Status commit();
  uint64_t size() const;  // bytes of the finished file
  GgufWriter(GgufWriter&&) noexcept;
  ~GgufWriter();

 private:
  struct State;
  explicit GgufWriter(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// The size in bytes of the file that GgufWriter would write.
Result<uint64_t> gguf_file_bytes(const Metadata& metadata, const std::vector<TensorDeclaration>& tensors);

}  // namespace smelt
