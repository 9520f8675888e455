// A text as windows of tokens, and the run of a model over them: what perplexity.cc, kl.cc and reference.cc share.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "eval/evaluate.h"

namespace smelt {

struct WindowSettings {
  int64_t n_ctx = 0, first_scored = 0;
  int64_t max_windows = 0;  // 0: all

  int64_t scored_per_window() const { return n_ctx - 1 - first_scored; }
};
// Fills in what options leave open; n_ctx_train is the smallest of the models concerned.
Result<WindowSettings> make_window_settings(const EvalOptions& options, int64_t n_ctx_train);

struct Windows {
  WindowSettings settings;
  std::vector<TokenId> ids;  // n_windows() · n_ctx, each window beginning with BOS where the vocabulary adds one
  int64_t n_windows() const { return std::ssize(ids) / settings.n_ctx; }
  int64_t n_scored() const { return n_windows() * settings.scored_per_window(); }
  std::span<const TokenId> window(int64_t w) const {
    return std::span(ids).subspan(static_cast<size_t>(w * settings.n_ctx), static_cast<size_t>(settings.n_ctx));
  }
};
// What is left after the last whole window is dropped. A text of less than one window is an error.
Result<Windows> cut_windows(const Tokenizer& tokenizer, std::string_view text, const WindowSettings& settings);

// Hashes by which a reference file knows the text and the vocabulary again. Only what tokens are counts in a
// vocabulary, not scores and types, which differ between the forms of one model.
uint64_t hash_vocab(const Vocab& vocab);
uint64_t hash_ids(const Windows& windows);

// A window is computed in pieces of so many tokens, so that a comparison holds the logits of a piece only and a run is
// soon interrupted.
constexpr int64_t kPieceTokens = 128;

// A model going through windows.
class WindowRun {
 public:
  // The windows must outlive it.
  static Result<WindowRun> create(const LoadedModel& model, const Windows& windows, const EvalOptions& options);

  // Gives the logits that predict `truth`.
  using Visit = std::function<Status(std::span<const float> logits, TokenId truth)>;
  // Computes the positions [begin, end) of a window, end < n_ctx, and visits those that are scored. begin is 0 or the
  // end before.
  Status compute(int64_t window, int64_t begin, int64_t end, const Visit& visit);

 private:
  WindowRun(Session session, const Windows& windows) : session_(std::move(session)), windows_(&windows) {}
  Session session_;
  const Windows* windows_;
};

// Calls work(window, begin, end) for every piece, with progress in tokens; cancellable between pieces.
Status for_each_piece(const Windows& windows, const char* label, const JobControl& job,
                      const std::function<Status(int64_t, int64_t, int64_t)>& work);

// For rows that the comparison refuses.
Error not_finite_error(const LoadedModel& model);

}  // namespace smelt
