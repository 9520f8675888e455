// A model as it lies on disk: metadata, tensors by the file's own names, and the small files that travel along. Opened
// from a GGUF file (split ones too), a Hugging Face folder, or a llama2.c .bin with its tokenizer. Data stays mapped.
// What the names mean is decided one floor up, in models/.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/mapped_file.h"
#include "base/metadata.h"
#include "base/result.h"
#include "formats/decoded_tensors.h"
#include "tensor/tensor_view.h"

namespace smelt {

// How keys and tensors are named. llama2.c files are given GGUF's names by their reader.
enum class Dialect {
  gguf,          // "llama.block_count", "blk.0.attn_q.weight", tokenizer in "tokenizer.ggml.*"
  hugging_face,  // config.json flattened, "model.layers.0.self_attn.q_proj.weight", tokenizer files as attachments
};

struct TensorEntry {
  std::string name;
  TensorView view;
  uint32_t file_index = 0;   // into Checkpoint::files()
  uint64_t file_offset = 0;  // of the first data byte
};

// A small file that belongs to the model: "tokenizer.json", "tokenizer.model", "tokenizer_config.json",
// "generation_config.json", "chat_template.jinja", "LICENSE", "README.md", … For llama2.c: "tokenizer.bin".
struct Attachment {
  std::string name;
  std::string bytes;
};

class Checkpoint {
 public:
  // Detects the kind by content. Errors name file, field or tensor, byte offset or line, and what to do. Everything is
  // validated here (sizes, offsets, alignment, overlaps, duplicate names), so views are safe to read to their ends.
  static Result<Checkpoint> open(const std::string& path);

  const std::string& path() const { return path_; }
  const std::string& format_name() const { return format_name_; }  // "GGUF v3", "Hugging Face folder", "llama2.c"
  Dialect dialect() const { return dialect_; }
  // GGUF dialect: the key-value section. HF: config.json flattened with dots, numbers as i64/f64;
  // generation_config.json under the prefix "generation_config.", tokenizer_config.json's scalar fields under
  // "tokenizer_config.".
  const Metadata& metadata() const { return metadata_; }
  const std::vector<TensorEntry>& tensors() const { return tensors_; }
  const TensorEntry* find_tensor(std::string_view name) const;
  const std::vector<Attachment>& attachments() const { return attachments_; }
  const Attachment* find_attachment(std::string_view name) const;
  const std::vector<std::shared_ptr<const MappedFile>>& files() const { return files_; }
  uint64_t file_bytes() const;  // sum of all files with tensors
  // To be called before the bytes of a tensor are read: decodes those that another tool packed. An error where the
  // system has no memory for it. Thread-safe.
  Status prepare(const TensorEntry& tensor) const;
  // Gives the memory of a tensor back that is not needed soon; prepare brings it again. Thread-safe, but not while
  // another thread reads the tensor.
  void release(const TensorEntry& tensor) const;
  // The same checkpoint, in which packed tensors show zeros and need no prepare: for checks of names and shapes.
  Result<Checkpoint> without_packed_values() const;
  // "FILE: tensor 'NAME' at byte N", to put in front of an error about a tensor.
  std::string describe(const TensorEntry& tensor) const;

  // Filled by the readers (gguf_reader.cc, hf_folder.cc, llama2c.cc) and by tests that make models in memory.
  struct Parts {
    std::string path{};
    std::string format_name{};
    Dialect dialect = Dialect::gguf;
    Metadata metadata{};
    std::vector<TensorEntry> tensors{};
    std::vector<Attachment> attachments{};
    std::vector<std::shared_ptr<const MappedFile>> files{};
    // Data that no file holds in this form (llama2.c's int8 tensors, regrouped), or that a test made; views point into
    // it.
    std::vector<std::shared_ptr<const std::vector<std::byte>>> buffers{};
    std::shared_ptr<const DecodedTensors> decoded{};  // those that another tool packed
  };
  explicit Checkpoint(Parts parts);

 private:
  std::string path_;
  std::string format_name_;
  Dialect dialect_;
  Metadata metadata_;
  std::vector<TensorEntry> tensors_;
  std::unordered_map<std::string, size_t> index_;
  std::vector<Attachment> attachments_;
  std::vector<std::shared_ptr<const MappedFile>> files_;
  std::vector<std::shared_ptr<const std::vector<std::byte>>> buffers_;
  std::shared_ptr<const DecodedTensors> decoded_;
  bool shows_zeros_ = false;
};

}  // namespace smelt
