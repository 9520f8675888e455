// Replayed guesses.
#include "runtime/speculative_replay.h"

#include <algorithm>

namespace smelt {

Status ReplayDrafter::begin(std::span<const TokenId> text, const CancelToken* /*cancel*/) {
  n_prompt_ = text.size();
  return {};
}

int64_t ReplayDrafter::propose(std::span<const TokenId> text, std::span<TokenId> draft) {
  const size_t done = std::min(text.size() - n_prompt_, text_.size());
  const size_t n = std::min(draft.size(), text_.size() - done);
  for (size_t i = 0; i < n; ++i) {
    const TokenId right = text_[done + i];
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;  // Knuth's MMIX generator
    const bool wrong = static_cast<double>(state_ >> 11) * 0x1.0p-53 >= right_share_;
    draft[i] = wrong ? static_cast<TokenId>((right + 1) % n_vocab_) : right;
  }
  return static_cast<int64_t>(n);
}

}  // namespace smelt
