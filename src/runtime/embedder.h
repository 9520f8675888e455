// Embeddings: texts to vectors whose directions say how near they are in meaning. Encoders pool the rows of all tokens,
// and so do models that write text. Called by `smelt embed` and the public TextEmbedder.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "models/embedding_config.h"
#include "models/model.h"
#include "runtime/text_encoder.h"

namespace smelt {

struct EmbedOptions {
  std::optional<Pooling> pooling = std::nullopt;  // absent: the model's own
  std::optional<bool> normalize = std::nullopt;
  int n_threads = 0;  // 0: default_threads()
  Compute compute = Compute::int8;
};

// One row of those of a text's tokens, [n][out.size()].
void pool_into(Pooling pooling, std::span<const float> rows, std::span<float> out);

class Embedder {
 public:
  static Result<Embedder> open(const std::string& path, const EmbedOptions& options);

  // A vector of d_model values for each text, in their order. Longer texts are cut (noted).
  Result<std::vector<std::vector<float>>> embed(std::span<const std::string> texts,
                                                const CancelToken* cancel = nullptr);

  const EmbeddingConfig& embedding_config() const { return embedding_; }
  const ModelConfig& config() const { return encoder_ ? encoder_->encoder().config() : model_->config(); }

 private:
  Embedder() = default;
  Status run_decoder(std::span<const std::vector<TokenId>> texts, const CancelToken* cancel,
                     const TextEncoder::Visit& visit);

  std::optional<TextEncoder> encoder_;
  std::shared_ptr<const Model> model_;  // where there is no encoder
  std::shared_ptr<const Tokenizer> tokenizer_;
  EmbeddingConfig embedding_;
  EmbedOptions options_;
};

}  // namespace smelt
