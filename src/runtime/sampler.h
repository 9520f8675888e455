// From logits to a token: penalties → top-k → typical → top-p → min-p → temperature → draw, as llama.cpp orders them.
// The same seed and options give the same tokens on every platform (own generator, no std distributions).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "tokenizers/vocab.h"

namespace smelt {

struct SamplerOptions {
  float temperature = 0.8F;     // 0: greedy
  int32_t top_k = 40;           // 0: off
  float top_p = 0.95F;          // 1: off
  float min_p = 0.05F;          // 0: off
  float typical_p = 1.0F;       // 1: off (Meister et al., arXiv 2202.00666)
  float repeat_penalty = 1.0F;  // 1: off (Keskar et al., arXiv 1909.05858)
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  int32_t penalty_last_n = 64;  // tokens looked back at; -1: all
  uint64_t seed = 0;
};

// Ranges; errors of kind usage name the option and the allowed range.
Status check_sampler_options(const SamplerOptions& options);

class Sampler {
 public:
  Sampler(const SamplerOptions& options, int64_t n_vocab);
  // Draws the next token; ties go to the lower id. `logits` has n_vocab finite values.
  TokenId sample(std::span<const float> logits);
  void accept(TokenId id);  // remembers a token (of prompt or answer) for the penalties

 private:
  void apply_penalties();
  SamplerOptions options_;
  uint64_t state_[4];
  struct Candidate {
    TokenId id;
    float logit;
    float p;
  };
  std::vector<Candidate> candidates_;
  std::vector<TokenId> history_;
};

}  // namespace smelt
