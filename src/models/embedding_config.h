// How a model's rows become the embedding of a text: the files of sentence-transformers beside config.json, or GGUF's
// keys.
#pragma once

#include <optional>
#include <string>

#include "base/metadata.h"
#include "base/result.h"
#include "formats/checkpoint.h"
#include "models/model_config.h"

namespace smelt {

struct EmbeddingConfig {
  Pooling pooling = Pooling::mean;
  bool normalize = false;  // to length 1
  int64_t max_tokens = 0;  // of a text, special ones included
};

// Where nothing is said: the mean of an encoder's rows, the last of a decoder's, as they are from a folder and of
// length 1 from GGUF, as the readers of either do; as many tokens as the model was trained for. Modules other than a
// pooling and a normalization, and poolings other than by cls, mean or last token, are refused by name.
Result<EmbeddingConfig> parse_embedding_config(const Checkpoint& checkpoint, const ModelConfig& config);
// For a folder that says how; `prefix` is that of the architecture's keys.
Status add_gguf_embedding(const Checkpoint& checkpoint, const ModelConfig& config, const std::string& prefix,
                          Metadata& metadata);

const char* pooling_name(Pooling pooling);  // "cls", "mean", "last"
std::optional<Pooling> find_pooling(std::string_view name);

}  // namespace smelt
