// A drafter that is a model itself: smaller, with the same vocabulary.
#pragma once

#include "runtime/generate.h"

namespace smelt {

class ModelDrafter final : public Drafter {
 public:
  // Vocabularies that differ are refused with the first token that does. The draft model's context is the session's, or
  // as it was trained if that is shorter: texts beyond it go on without guesses. It takes its memory from what the
  // session and its model leave of the budget, and computes with the session's threads.
  static Result<std::unique_ptr<Drafter>> create(const LoadedModel& model, Session& session, LoadedModel draft,
                                                 const SessionOptions& options);

  Status begin(std::span<const TokenId> text, const CancelToken* cancel) override;
  int64_t propose(std::span<const TokenId> text, std::span<TokenId> draft) override;

 private:
  ModelDrafter(Session session, int64_t n_tokens) : session_(std::move(session)), n_tokens_(n_tokens) {}
  Status append(std::span<const TokenId> text);
  void give_up(const Error& error);

  Session session_;
  int64_t n_tokens_;     // of the vocabulary; the model's logits may be more
  size_t n_agreed_ = 0;  // tokens of the cache known to be the text's
  bool given_up_ = false;
};

}  // namespace smelt
