// A drafter for measurements: it knows the text to come, and is wrong as often as it is told to be.
#pragma once

#include "runtime/speculative.h"

namespace smelt {

class ReplayDrafter final : public Drafter {
 public:
  // `text` follows the prompt. Each guess is right with this probability, by a generator that `seed` starts.
  ReplayDrafter(std::vector<TokenId> text, double right_share, int64_t n_vocab, uint64_t seed = 1)
      : text_(std::move(text)), right_share_(right_share), n_vocab_(n_vocab), state_(seed) {}

  Status begin(std::span<const TokenId> text, const CancelToken* cancel) override;
  int64_t propose(std::span<const TokenId> text, std::span<TokenId> draft) override;

 private:
  std::vector<TokenId> text_;
  double right_share_;
  int64_t n_vocab_;
  uint64_t state_;
  size_t n_prompt_ = 0;
};

}  // namespace smelt
