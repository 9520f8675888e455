// Several sequences of one model, decoded together: each pass reads the weights once for all of them. The sequences
// share workspace and threads, and nothing else: a sequence's logits are those it would have alone, bit for bit.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/session.h"

namespace smelt {

struct BatchToken {
  int64_t sequence = 0;
  TokenId token = 0;
};

class Batch {
 public:
  // n_sequences sessions of options.n_ctx tokens each. The memory of all is planned first.
  static Result<Batch> create(const std::shared_ptr<const Model>& model, int64_t n_sequences,
                              const SessionOptions& options);
  static Result<uint64_t> bytes_needed(const Model& model, int64_t n_sequences, const SessionOptions& options);
  Batch(Batch&&) noexcept = default;
  Batch& operator=(Batch&&) noexcept = default;

  int64_t size() const { return static_cast<int64_t>(sequences_.size()); }
  // For its prompt, its logits, truncation. Not to be used at the same time as another of the batch.
  Session& sequence(int64_t i) { return sequences_[static_cast<size_t>(i)]; }

  // Appends one token to each of these sequences, at most one for a sequence, in one pass; its logits() are then those
  // after the token. Wrong arguments, a full context among them, are an error before anything is computed. A sequence
  // whose logits are not finite keeps its position (as Session::append does), and its error is in `errors` (as many as
  // tokens; ok elsewhere); the others go on. Allocates nothing but for errors.
  Status decode(std::span<const BatchToken> tokens, std::span<Status> errors);

 private:
  struct Pass;
  Batch(std::vector<Session> sequences, std::unique_ptr<Pass> pass);
  Status check(std::span<const BatchToken> tokens, std::span<Status> errors);

  std::vector<Session> sequences_;
  std::shared_ptr<Pass> pass_;
};

}  // namespace smelt
