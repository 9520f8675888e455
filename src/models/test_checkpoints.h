// For tests of models/: checkpoints in memory, made from others.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "models/canonical.h"

namespace smelt {

// The translated model as a checkpoint in memory, rows in the target's order: what compress/ writes, without the file.
inline std::shared_ptr<const Checkpoint> materialise(CanonicalModel model, Dialect dialect) {
  Checkpoint::Parts parts;
  parts.path = "translated";
  parts.dialect = dialect;
  parts.metadata = std::move(model.metadata);
  for (const CanonicalTensor& tensor : model.tensors) {
    const TensorView& source = tensor.source->view;
    const auto row_size = source.bytes.size() / static_cast<size_t>(source.rows());
    auto bytes = std::make_shared<std::vector<std::byte>>(tensor.source_bytes());
    for (int64_t r = 0; r < tensor.shape.rows(); ++r) {
      const auto [entry, source_row] = tensor.find_source(r);
      const std::byte* from = entry->view.bytes.data() + static_cast<size_t>(source_row) * row_size;
      std::memcpy(bytes->data() + static_cast<size_t>(r) * row_size, from, row_size);
    }
    parts.tensors.push_back({.name = tensor.name, .view = {source.dtype, tensor.shape, *bytes}});
    parts.buffers.push_back(std::move(bytes));
  }
  return std::make_shared<const Checkpoint>(std::move(parts));
}

// Every matrix in blocks of 8 bits, which 16 rows interleaved are multiplied by in int8: beside the same blocks decoded
// to f32. Matrices whose rows are no whole blocks stay as they are.
inline std::shared_ptr<const Checkpoint> in_q8_0(const std::filesystem::path& folder) {
  auto checkpoint = Checkpoint::open(folder.string());
  EXPECT_TRUE(checkpoint) << checkpoint.error().message;
  auto gguf = to_gguf_terms(std::make_shared<const Checkpoint>(std::move(*checkpoint)));
  EXPECT_TRUE(gguf) << gguf.error().message;
  const auto plain = materialise(std::move(*gguf), Dialect::gguf);
  Checkpoint::Parts parts{.path = "quantized", .dialect = Dialect::gguf, .metadata = plain->metadata()};
  for (const TensorEntry& tensor : plain->tensors()) {
    const TensorView& from = tensor.view;
    const bool is_kept = from.shape.rank < 2 || from.columns() % 32 != 0 || tensor.name == "position_embd.weight" ||
                         tensor.name.starts_with("cls.") || tensor.name == "token_types.weight" ||
                         tensor.name.find("ssm_norm") != std::string::npos ||
                         tensor.name.find("attn_rel_b") != std::string::npos ||
                         tensor.name.find("ffn_gate_inp") != std::string::npos;
    const DType dtype = is_kept ? from.dtype : DType::q8_0;
    const auto row_size = static_cast<size_t>(*row_bytes(dtype, static_cast<uint64_t>(from.columns())));
    auto bytes = std::make_shared<std::vector<std::byte>>(row_size * static_cast<size_t>(from.rows()));
    std::vector<float> row(static_cast<size_t>(from.columns()));
    for (int64_t r = 0; r < from.rows(); ++r) {
      std::byte* to = bytes->data() + static_cast<size_t>(r) * row_size;
      from.decode_row_into(r, row.data());
      if (is_kept) {
        std::memcpy(to, from.row(r), row_size);
      } else {
        dtype_info(dtype).encode(row.data(), to, from.columns(), nullptr);
      }
    }
    parts.tensors.push_back({.name = tensor.name, .view = {dtype, from.shape, *bytes}});
    parts.buffers.push_back(std::move(bytes));
  }
  return std::make_shared<const Checkpoint>(std::move(parts));
}

}  // namespace smelt
