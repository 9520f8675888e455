// Makes the vocabulary of a byte-level BPE tokenizer from text (Gage 1994; Sennrich et al. 2016, arXiv:1508.07909; over
// bytes as in Radford et al. 2019). Called by `smelt tokenizer train` and by the trainer of models.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "tokenizers/vocab.h"

namespace smelt {

struct BpeTraining {
  int64_t n_vocab = 4096;               // special tokens and the 256 bytes included
  std::string pre_tokenizer = "gpt-2";  // a family of pre_tokenizers.inc; merges never cross its cuts
  // The first begins a text and the second ends it; both and all others are control tokens, with the first ids.
  std::vector<std::string> special_tokens = {"<|begin|>", "<|end|>"};
  int64_t min_count = 2;  // of a pair that is merged
};

// Counts words text by text, so that only distinct words are kept; then merges the most frequent pair again and again.
// Of pairs that are equally frequent, that of the smaller ids is merged: the same texts in any order give the same
// vocabulary.
class BpeTrainer {
 public:
  static Result<BpeTrainer> create(const BpeTraining& options);
  BpeTrainer(BpeTrainer&&) noexcept;
  ~BpeTrainer();

  // A document, of valid UTF-8 or not.
  void add(std::string_view text);
  uint64_t n_distinct_words() const;
  // Fewer pairs than the vocabulary wants are an error. Progress is told in merges.
  Result<Vocab> train(const JobControl& job) const;

 private:
  struct State;
  explicit BpeTrainer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace smelt
