// Perplexity and KL divergence on held-out text, by llama.cpp's convention: the text is tokenized once, cut into
// windows of n_ctx tokens, the first token of each replaced by BOS where the vocabulary adds one, and the second half
// of each window is scored: the logits at positions first_scored … n_ctx - 2 against the tokens one further. Memory
// beside the models: the ids of the text (4 bytes a token), logits of a piece of a window and, for the percentiles of a
// comparison, 8 bytes a scored token. Results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/atomic_file.h"
#include "base/progress.h"
#include "base/result.h"
#include "runtime/generate.h"

namespace smelt {

struct EvalOptions {
  int64_t n_ctx = 0;          // window, at most the training context; 0: 512, less if that is longer, or a reference
                              // file's
  int64_t max_windows = 0;    // 0: all
  int64_t first_scored = -1;  // position from which tokens are scored; -1: n_ctx / 2, or a reference file's
  int n_threads = 0;
  KvType kv_type = KvType::f16;  // of the KV cache: f16 as in use, f32 to measure the weights alone
};

struct PerplexityReport {
  double perplexity = 0, standard_error = 0;  // of the perplexity, by the delta method over tokens
  double mean_nll = 0;                        // nats per token
  double bits_per_byte = 0;                   // over the bytes of the scored tokens: comparable between tokenizers
  int64_t n_tokens = 0, n_windows = 0;
  int64_t n_ctx = 0, first_scored = 0;  // the windows
  double seconds = 0;
};
Result<PerplexityReport> evaluate_perplexity(const LoadedModel& model, std::string_view text,
                                             const EvalOptions& options, const JobControl& job);

struct Estimate {
  double value = 0, standard_error = 0;
};

struct KlReport {
  Estimate mean_kl;  // nats per token, KL(reference || model)
  double kl_p50 = 0, kl_p90 = 0, kl_p99 = 0, kl_p999 = 0, kl_max = 0;
  Estimate top1_agreement;  // share of tokens with the same most likely token, 0 … 1
  Estimate rms_delta_p;     // of the true token's probability
  double delta_p_p01 = 0, delta_p_p05 = 0, delta_p_p50 = 0, delta_p_p95 = 0, delta_p_p99 = 0;
  PerplexityReport model, reference;
  Estimate log_perplexity_ratio;  // ln(ppl model / ppl reference), paired over tokens
  int64_t n_tokens = 0;
  double seconds = 0;
};
// The reference's logits are computed on the fly, piece by piece, beside the model's. Vocabularies must be equal.
Result<KlReport> evaluate_kl(const LoadedModel& model, const LoadedModel& reference, std::string_view text,
                             const EvalOptions& options, const JobControl& job);

// The reference's predictions stored compactly (reference_file.h), for comparing many models with one slow reference.
struct ReferenceOutput {
  std::string path;
  Overwrite overwrite = Overwrite::refuse;
};
Result<PerplexityReport> save_reference(const LoadedModel& reference, std::string_view text,
                                        const ReferenceOutput& output, const EvalOptions& options,
                                        const JobControl& job);
// Refuses a file of another text, vocabulary or window. Mean KL is within 1 % + 1e-7 of evaluate_kl's.
Result<KlReport> evaluate_kl_against_file(const LoadedModel& model, const std::string& reference_path,
                                          std::string_view text, const EvalOptions& options, const JobControl& job);

}  // namespace smelt
