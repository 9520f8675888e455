// Sums of a perplexity, for perplexity.cc and the comparisons of kl.h.
#pragma once

#include "eval/statistics.h"
#include "eval/windows.h"

namespace smelt {

// Bytes that a token stands for in text; control tokens stand for none.
class TokenLengths {
 public:
  explicit TokenLengths(const Tokenizer& tokenizer);
  int64_t of(TokenId id) const { return bytes_[static_cast<size_t>(id)]; }

 private:
  std::vector<int32_t> bytes_;
};

class PerplexitySums {
 public:
  void add(double nll, int64_t token_bytes) {
    nll_.add(nll);
    bytes_ += token_bytes;
  }
  PerplexityReport report(const Windows& windows, double seconds) const;

 private:
  RunningMean nll_;
  int64_t bytes_ = 0;
};

}  // namespace smelt
