// llama2.c's .bin checkpoints (karpathy/llama2.c run.c, MIT: 7 int32 header, f32 tensors stacked by layer; and the
// "ak42" v1/v2 exports of its export.py). Tensors appear under GGUF's names; metadata as "llama.*" keys. The tokenizer is
// looked for beside it: "tokenizer.bin", "tok<n_vocab>.bin", and becomes the attachment "tokenizer.bin".
#pragma once

#include <string>

#include "base/result.h"
#include "formats/checkpoint.h"

namespace smelt {

Result<Checkpoint> open_llama2c(const std::string& path);

}  // namespace smelt
