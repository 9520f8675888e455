// Most words of a text are tokens as a whole. Whether merging comes to that token is found out when it is first met,
// since not all can be reached; afterwards the word is not merged again. Shared by threads. Used by both BPE engines.
#pragma once

#include <atomic>
#include <cstdint>
#include <vector>

#include "tokenizers/vocab.h"

namespace smelt {

class WholeWords {
 public:
  void resize(size_t n_tokens) { states_ = std::vector<std::atomic<State>>(n_tokens); }
  // Appends the tokens of a word that has the text of token `whole`. merge() appends what merging gives.
  template <class Merge>
  void append(TokenId whole, std::vector<TokenId>& ids, const Merge& merge) const {
    std::atomic<State>& state = states_[static_cast<size_t>(whole)];
    const State known = state.load(std::memory_order_relaxed);
    if (known == State::reached) return ids.push_back(whole);
    const size_t n_before = ids.size();
    merge();
    if (known != State::unknown) return;
    const bool reached = ids.size() == n_before + 1 && ids.back() == whole;
    state.store(reached ? State::reached : State::missed, std::memory_order_relaxed);
  }

 private:
  enum class State : uint8_t { unknown, reached, missed };
  mutable std::vector<std::atomic<State>> states_;
};

}  // namespace smelt
