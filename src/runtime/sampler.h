// From logits to a token: penalties → top-k → typical → top-p → min-p → temperature → draw, as llama.cpp orders them.
// The generator is our own (xoshiro256++), not one of std's distributions, which differ between standard libraries: the
// same seed, options and logits draw the same tokens.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "tokenizers/vocab.h"

namespace smelt {

struct SamplerOptions {
  float temperature = 0.8F;     // 0: greedy
  int32_t top_k = 40;           // 0: off
  float top_p = 0.95F;          // 1: off (Holtzman et al., arXiv 1904.09751)
  float min_p = 0.05F;          // 0: off (Nguyen et al., arXiv 2407.01082)
  float typical_p = 1.0F;       // 1: off (Meister et al., arXiv 2202.00666)
  float repeat_penalty = 1.0F;  // 1: off (Keskar et al., arXiv 1909.05858)
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  int32_t penalty_last_n = 64;  // tokens looked back at; -1: all
  uint64_t seed = 0;
};

// Ranges; errors of kind usage name the option and the allowed range.
Status check_sampler_options(const SamplerOptions& options);

// One user's sampler. After the first call, sampling allocates nothing while no penalty is in use.
class Sampler {
 public:
  // The options must have passed check_sampler_options.
  Sampler(const SamplerOptions& options, int64_t n_vocab);
  // Draws the next token; ties go to the lower id. `logits` has n_vocab finite values.
  TokenId sample(std::span<const float> logits);
  // … from the tokens that the mask allows (a bit each, of grammar/constraint.h), at least one.
  TokenId sample(std::span<const float> logits, std::span<const uint64_t> mask);
  // Remembers a token (of prompt or answer) for the penalties. Ids outside the vocabulary are left out.
  void accept(TokenId id);

 private:
  struct Candidate {
    TokenId id;
    float logit;
    double p;
  };

  TokenId choose();  // from candidates_
  bool penalizes() const;
  void penalize();
  void keep_top_k();
  void keep_typical();
  void keep_top_p();
  void keep_min_p();
  void set_probabilities(double temperature);
  void sort_by_logit();
  double next_uniform();  // [0, 1)

  SamplerOptions options_;
  std::array<uint64_t, 4> state_ = {};
  std::vector<Candidate> candidates_;
  bool sorted_ = false;          // candidates_ by falling logit
  std::vector<TokenId> recent_;  // a ring of the last penalty_last_n tokens, or all
  size_t oldest_ = 0;
  std::vector<int32_t> counts_;  // of each token in recent_
};

}  // namespace smelt
