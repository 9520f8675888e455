// llama2.c's .bin checkpoints (karpathy/llama2.c run.c, MIT: 7 int32 header, f32 tensors stacked by layer; and the
// "ak42" v1/v2 exports of its export.py). Tensors appear under GGUF's names; metadata as "llama.*" keys. The tokenizer
// is looked for beside it: "tokenizer.bin", "tok<n_vocab>.bin", and becomes the attachment "tokenizer.bin".
#pragma once

#include <span>
#include <string>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

Result<Checkpoint> open_llama2c(const std::string& path);

// True if the bytes begin with "ak42", or with seven integers that the old form could begin with (it has no magic
// number).
bool looks_like_llama2c(std::span<const std::byte> bytes);

// The fuzz target: metadata, tensors and buffers of a whole file in memory; no path, tokenizer or files are filled in.
Result<Checkpoint::Parts> parse_llama2c(std::span<const std::byte> bytes, const std::string& file_name);

}  // namespace smelt
