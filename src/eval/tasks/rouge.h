// ROUGE-1, -2 and -L (Lin, 2004) as the package rouge-score computes them without stemming: words are runs of ASCII
// letters and digits, lower-cased; L is by the longest common subsequence of the whole texts.
#pragma once

#include <string_view>
#include <vector>

#include "base/result.h"

namespace smelt {

struct RougeScore {
  double precision = 0, recall = 0, f = 0;
};
struct RougeScores {
  RougeScore rouge1, rouge2, rouge_l;
};

RougeScores rouge(std::string_view target, std::string_view prediction);
// Of each kind the score of the target with the largest f, the first of several.
RougeScores best_rouge(const std::vector<std::string>& targets, std::string_view prediction);

}  // namespace smelt
