// One user's mutable state on a shared Model: the KV cache or the state of recurrent layers, the workspace and the
// tokens so far.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "base/thread_pool.h"
#include "models/model.h"

namespace smelt {

class Session;

struct SessionOptions {
  int64_t n_ctx = 0;  // 0: the model's training context, reduced to what the memory budget allows (noted)
  int n_threads = 0;  // 0: default_threads()
  Pinning pinning = Pinning::free;
  KvType kv_type = KvType::f16;      // of the KV cache
  int64_t prefill_chunk = 512;       // tokens per forward pass
  uint64_t memory_budget_bytes = 0;  // 0: memory_budget_bytes() of the machine
  Session* threads_of = nullptr;     // a session never computed at the same time, whose threads serve this one as well
  int64_t max_draft = 0;             // 0 … kMaxDraft: guessed tokens that verify takes at most
};

// A pass of more than 16 tokens may compute a token otherwise than if it were alone.
inline constexpr int64_t kMaxDraft = 15;

class Session {
 public:
  // Plans the memory first: "needs 3.1 GiB, budget 2.0 GiB" is an error, not an abort. Weights count as well.
  static Result<Session> create(std::shared_ptr<const Model> model, const SessionOptions& options);
  // Of the KV cache, the workspace and the rows of logits; the weights not counted.
  static Result<uint64_t> bytes_needed(const Model& model, const SessionOptions& options);
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  ~Session();

  int64_t n_ctx() const;
  int64_t position() const;                    // tokens in the cache
  const std::vector<TokenId>& tokens() const;  // those tokens

  // Models with an encoder (config().source_encoder): takes this source text, n_ctx() tokens at most, in place of an
  // earlier one, and forgets all tokens. What is appended next is the decoder's, from
  // config().source_encoder.start_token on; before this it is an error.
  Status encode(std::span<const TokenId> source);

  // Appends tokens to the cache, in chunks; logits() then holds the last token's. A full context is an error that says
  // so (nothing is shifted silently), and so are ids outside the vocabulary, both before anything is computed; a
  // cancelled run leaves the cache at a chunk boundary. Non-finite logits are an error naming the position, at which
  // the cache stays; a recurrent state is spoilt by them, and goes back to a position from which it can be computed
  // again. Allocates nothing.
  Status append(std::span<const TokenId> tokens, const CancelToken* cancel = nullptr);
  std::span<const float> logits() const;  // [n_vocab]; of no meaning before the first append
  // As append, but calls visit(index in tokens, logits of that token) for indices >= first, in order: for evaluation.
  // The first call allocates up to 64 MiB more, for the logits of a chunk.
  Status append_visiting(std::span<const TokenId> tokens, int64_t first,
                         const std::function<Status(int64_t, std::span<const float>)>& visit);
  // As append, but calls visit(index in tokens, that token's row of the last layer, after its norm), in order: for
  // embeddings. logits() are of no meaning then.
  Status append_hidden(std::span<const TokenId> tokens,
                       const std::function<Status(int64_t, std::span<const float>)>& visit);
  // For speculative decoding: appends 1 … max_draft + 1 tokens in one pass and keeps the logits after each.
  // logits_at(i) is, bit for bit, what logits() would be had tokens[0 … i] been appended one by one. Returns how many
  // tokens are in the cache: all, or, so that a wrong guess does no harm, those before the first whose logits are
  // not finite, or fewer, but one at least, or else the error that append gives. logits() are then those of the last
  // one taken. Allocates nothing.
  Result<int64_t> verify(std::span<const TokenId> tokens);
  std::span<const float> logits_at(int64_t index) const;  // of the latest verify, until the next append
  int64_t max_draft() const;
  // Forgets all later tokens; position <= position(). Returns position() then, which may be less. The layers of a model
  // with a sliding window keep only the latest positions: where those seen from `position` are gone, everything is
  // forgotten (0); the last 64 tokens can always be. A recurrent state goes back to any position of the latest verify,
  // or else to what was before the last token of the latest prompt (append of more than one token), or to 0.
  int64_t truncate(int64_t position);

  // The cache with its tokens, for --prompt-cache (session_file.h): written atomically, replacing an earlier one;
  // checked on reading. A file of another model or version, or a damaged one, is refused and leaves the session as it
  // was. logits() are not kept: append a token before reading them.
  Status save_cache(const std::string& path) const;
  Status load_cache(const std::string& path);

  const Model& model() const;
  ThreadPool& threads();

 private:
  friend class Batch;
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace smelt
