// Texts through an encoder, many in a pass. Called by embedder.cc and classifier.cc.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/large_memory.h"
#include "base/progress.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "models/encoder.h"
#include "models/model.h"

namespace smelt {

// The ids of each text, special ones included, cut to at most max_tokens (a note says how many were); the token that
// ends a text stays. A text without tokens is an error.
Result<std::vector<std::vector<TokenId>>> encode_texts(const Tokenizer& tokenizer, std::span<const std::string> texts,
                                                       int64_t max_tokens);
Result<std::shared_ptr<ThreadPool>> make_threads(int n_threads);

class TextEncoder {
 public:
  TextEncoder(std::shared_ptr<const Encoder> encoder, std::shared_ptr<ThreadPool> threads)
      : encoder_(std::move(encoder)), threads_(std::move(threads)) {}

  // Calls visit(text, rows [its tokens][d_model]) for each, in order. Non-finite rows are an error naming the text.
  // Cancelling takes effect between passes.
  using Visit = std::function<Status(size_t text, std::span<const float> rows)>;
  Status run(std::span<const std::vector<TokenId>> texts, const CancelToken* cancel, const Visit& visit);

  const Encoder& encoder() const { return *encoder_; }
  ThreadPool& threads() { return *threads_; }

 private:
  Status run_pass(std::span<const std::vector<TokenId>> texts, size_t first, const Visit& visit);

  std::shared_ptr<const Encoder> encoder_;
  std::shared_ptr<ThreadPool> threads_;
  LargeMemory workspace_;
};

}  // namespace smelt
