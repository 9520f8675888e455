// Speculative decoding: several tokens from one reading of the weights. A drafter guesses what comes next, one pass of
// the model computes the logits after every guessed token, and the loop of generate.cc walks through them as through
// those of single steps: where the token it chooses is the guessed one, the next row of logits is at hand already;
// where it is another, the rest of the guess is forgotten.
//
// So the output is that of plain decoding bit for bit, greedy or sampled: the sampler sees the same logits in the same
// order (Session::verify computes each token as if it were alone) and draws one number a token, guessed or not. The
// rejection rule of Leviathan et al. (arXiv 2211.17192), made for drafts that are sampled themselves, would keep the
// distribution only, and give another text for the same seed.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "runtime/session.h"
#include "runtime/speculative_length.h"

namespace smelt {

// Guesses tokens. One drafter belongs to one Speculation.
class Drafter {
 public:
  virtual ~Drafter() = default;
  // A generation begins with this text (the prompt), which nothing says is related to the last one's.
  virtual Status begin(std::span<const TokenId> text, const CancelToken* cancel) = 0;
  // Guesses how `text` goes on, into the front of `draft`, and returns how many tokens; 0: no idea. Within a generation
  // each text continues the last one. Allocates nothing.
  virtual int64_t propose(std::span<const TokenId> text, std::span<TokenId> draft) = 0;
};

struct SpeculationFigures {
  int64_t passes = 0;    // of the model, after the prompt
  int64_t drafted = 0;   // tokens guessed and computed
  int64_t accepted = 0;  // … that became part of the text
  int64_t length = 0;    // tokens to be guessed for the next pass; 0: switched off
};

struct SpeculationOptions {
  int64_t max_draft = 8;            // for a pass, and no more than the session was made for
  bool adaptive = true;             // fewer, or none, where that is faster; else always max_draft
  std::function<double()> clock{};  // seconds, for tests; empty: the machine's
};

// One user's way from token to token. Without a drafter every token is a pass of its own.
class Speculation {
 public:
  Speculation() = default;
  Speculation(std::unique_ptr<Drafter> drafter, SpeculationOptions options);

  // The session stands at the end of the text (the prompt), its logits computed; n_predict as of GenerateOptions.
  Status begin(Session& session, std::span<const TokenId> text, int64_t n_predict, const CancelToken* cancel);
  std::span<const float> logits() const;  // after the last token appended
  int64_t n_free() const;                 // tokens that the context still has room for
  bool full() const { return n_free() == 0; }
  // As Session::append for one token. Allocates nothing.
  Status append(TokenId id);
  // The session's cache holds the text again, and no guesses.
  void end();
  // Of the generation begun last.
  SpeculationFigures figures() const;

 private:
  int64_t position() const { return session_->position() - (n_pass_ - n_used_); }  // of the text, guesses left out
  void forget_guesses(bool failed);
  int64_t longest_draft();
  Status compute(TokenId id);

  std::unique_ptr<Drafter> drafter_;
  SpeculationOptions options_;
  DraftLength length_{0};
  Session* session_ = nullptr;
  std::vector<TokenId> text_;  // prompt and what was appended
  int64_t text_end_ = 0;       // tokens that the text will have at most; -1: no limit
  std::vector<TokenId> pass_;  // a token and the guesses after it
  int64_t n_pass_ = 0;         // … of which the cache holds so many
  int64_t n_used_ = 0;         // … of which so many are part of the text
  SpeculationFigures figures_;
};

}  // namespace smelt
