// A checkpoint seen in GGUF's terms, whatever it was read from: GGUF metadata (tokenizer included) and tensors under
// GGUF's names with rows in GGUF's order. What quantize and convert write. And the way back, to a Hugging Face folder.
// Hugging Face stores q/k rows for half-split RoPE, GGUF's llama family for interleaved: `row_order` undoes that.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "formats/gguf.h"
#include "models/model_config.h"

namespace smelt {

struct CanonicalTensor {
  std::string name;                           // in the target dialect
  const TensorEntry* source = nullptr;        // inside the checkpoint
  Shape shape;                                // in the target
  std::vector<int32_t> row_order;             // target row r is source row row_order[r]; empty: the same order
  std::vector<const TensorEntry*> more = {};  // whose rows follow those of `source`: of the same type and shape

  int64_t source_row(int64_t r) const { return row_order.empty() ? r : row_order[static_cast<size_t>(r)]; }
  // The tensor that target row r comes from, and its row there.
  struct SourceRow {
    const TensorEntry* tensor;
    int64_t row;
  };
  SourceRow find_source(int64_t r) const {
    const int64_t row = source_row(r);
    const int64_t each = source->view.rows();
    if (row < each) return {source, row};
    return {more[static_cast<size_t>(row / each - 1)], row % each};
  }
  uint64_t source_bytes() const { return source->view.bytes.size() * (more.size() + 1); }
};

// Matrices in a tensor of this shape: experts, or 1.
inline int64_t n_matrices_of(const Shape& shape) {
  return shape.rank > 2 ? shape.values() / (shape[shape.rank - 2] * shape[shape.rank - 1]) : 1;
}

// A tensor that is in no file in this form (rope_freqs.weight, biases in another order). CanonicalTensors point to it.
struct GeneratedTensor {
  std::shared_ptr<const TensorEntry> entry;
  std::shared_ptr<const std::vector<std::byte>> bytes;
};

struct CanonicalModel {
  std::shared_ptr<const Checkpoint> checkpoint;  // keeps the views alive
  ModelConfig config;
  Metadata metadata;                     // target dialect; for GGUF without general.file_type
  std::vector<CanonicalTensor> tensors;  // in writing order
  std::vector<GeneratedTensor> generated;
  std::vector<Attachment> attachments;  // Hugging Face target: tokenizer.json, LICENSE, …
};

// From a GGUF: everything as it is, unknown keys and tensors included. From others: translated; the licence text and
// the model's name, BOS/EOS ids, chat template, rope settings and fields of config.json that GGUF does not know are
// kept.
Result<CanonicalModel> to_gguf_terms(std::shared_ptr<const Checkpoint> checkpoint);
// Metadata is that of config.json; GGUF keys without a counterpart go to the attachment "smelt_metadata.json" and come
// back.
Result<CanonicalModel> to_hugging_face_terms(std::shared_ptr<const Checkpoint> checkpoint);

}  // namespace smelt
