// How good a model is on a text, and how far it is from another one: perplexity and Kullback-Leibler divergence.
//
// The text is tokenized once and cut into windows of n_ctx tokens, each computed on its own with the first token
// replaced by the one texts begin with, where the vocabulary has that; the second half of each window is scored. This
// is the convention of llama.cpp's perplexity tool, so that figures compare.
#pragma once

#include <cstdint>
#include <string_view>

#include "smelt/control.h"
#include "smelt/model.h"
#include "smelt/result.h"

namespace smelt {

struct EvaluateOptions {
  int64_t n_ctx = 0;          // tokens of a window, at most the model's training context; 0: 512, or that if it is less
  int64_t max_windows = 0;    // 0: the whole text
  int64_t first_scored = -1;  // position in a window from which tokens are scored; -1: n_ctx / 2
  int n_threads = 0;          // 0: the processors this process may use
};

// A figure with its standard error over tokens.
struct Measure {
  double value = 0, standard_error = 0;
};

struct Perplexity {
  Measure perplexity;        // exp(mean negative log-likelihood)
  double mean_nll = 0;       // nats per token
  double bits_per_byte = 0;  // of the text: comparable between tokenizers
  int64_t n_tokens = 0;      // scored
  int64_t n_windows = 0;
  double seconds = 0;
};

struct Comparison {
  Measure mean_kl;    // KL(reference || model), nats per token
  double kl_p99 = 0;  // 99 % of the tokens are below
  double kl_max = 0;
  Measure top1_agreement;        // share of tokens for which both find the same token likeliest, 0 … 1
  Measure rms_delta_p;           // root mean square change of the true token's probability, 0 … 1
  Measure log_perplexity_ratio;  // ln(perplexity of the model / of the reference), paired over tokens
  Perplexity model, reference;
  int64_t n_tokens = 0;
  double seconds = 0;
};

// Errors: a text shorter than one window; a window longer than the model's context. Beside the text, memory is taken
// for its token ids (4 bytes each).
Result<Perplexity> measure_perplexity(const TextModel& model, std::string_view text,
                                      const EvaluateOptions& options = {}, const JobControl& job = {});

// Both models are run side by side on the same windows; their vocabularies must be equal. 8 bytes a scored token more.
Result<Comparison> compare_models(const TextModel& model, const TextModel& reference, std::string_view text,
                                  const EvaluateOptions& options = {}, const JobControl& job = {});

}  // namespace smelt
