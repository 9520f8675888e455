// Sums of a comparison, fed by kl.cc with rows computed on the fly and by reference.cc with rows of a file.
#pragma once

#include <vector>

#include "eval/logit_row.h"
#include "eval/perplexity.h"

namespace smelt {

class KlSums {
 public:
  void add(const TokenComparison& token, int64_t token_bytes);
  KlReport report(const Windows& windows, double seconds);

 private:
  PerplexitySums model_, reference_;
  RunningMean kl_, same_top_, squared_delta_p_, nll_difference_;
  std::vector<float> kls_, delta_ps_;  // of all tokens, for the percentiles
};

}  // namespace smelt
