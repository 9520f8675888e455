// Text from a model: completion and chat, streamed as it comes.
//
//   auto session = smelt::TextSession::create(*model);
//   auto reply = session->generate("Once upon a time", {.n_predict = 100},
//                                  [](std::string_view piece) { std::cout << piece; return true; });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "smelt/control.h"
#include "smelt/model.h"
#include "smelt/result.h"

namespace smelt {

struct TextSessionOptions {
  int64_t n_ctx = 0;                 // tokens of context; 0: the model's own, reduced to what the memory budget allows
  int n_threads = 0;                 // 0: the processors this process may use
  bool pin_threads = false;          // workers stay on processors of their own; the calling thread stays free
  bool f32_cache = false;            // keys and values in 32 bits in place of 16
  uint64_t memory_budget_bytes = 0;  // 0: what the machine or its cgroup has
};

// How a token is drawn from the model's distribution; steps are applied in this order: penalties, top_k, typical_p,
// top_p, min_p, temperature. Values out of range are usage errors that name the field and its range.
struct TextSampling {
  float temperature = 0.8F;        // 0: always the likeliest token
  int32_t top_k = 40;              // 0: off
  float top_p = 0.95F;             // 1: off
  float min_p = 0.05F;             // 0: off
  float typical_p = 1.0F;          // 1: off
  float repeat_penalty = 1.0F;     // 1: off
  float presence_penalty = 0.0F;   // 0: off
  float frequency_penalty = 0.0F;  // 0: off
  int32_t penalty_last_n = 64;     // tokens that penalties look back at; -1: all
  uint64_t seed = 0;               // the same seed, options and prompt give the same text
};

// What the text must be as a whole; docs/constrained-output.md says what each kind supports. A text that ends before
// it is complete, by n_predict or the context, is an error, never a reply.
struct TextConstraint {
  enum class Kind { none, gbnf, json_schema, regex };
  Kind kind = Kind::none;
  std::string source{};  // the grammar, the schema or the expression itself
};

struct TextRequest {
  int64_t n_predict = 256;  // tokens at most; -1: until the model ends or the context is full
  TextSampling sampling{};
  std::vector<std::string> stop{};      // the text ends before the first of these
  bool parse_special = false;           // generate(): the prompt may spell control tokens; never for text of strangers
  bool ignore_end = false;              // go on after tokens that end a text
  TextConstraint constraint{};          // not beside stop or ignore_end
  const CancelToken* cancel = nullptr;  // polled between tokens
};

// Called with each piece of text as it becomes certain: whole UTF-8 characters, no part of a stop string. Returning
// false ends the answer.
using TextCallback = std::function<bool(std::string_view)>;

enum class TextEnd {
  end_token,     // the model ended it
  stop_string,   // one of TextRequest::stop came
  length,        // n_predict tokens
  context_full,  // n_ctx tokens; nothing is dropped silently to make room
  cancelled,     // by the callback or the cancel token
  complete,      // TextRequest::constraint allows nothing more
};

struct TextReply {
  std::string text{};
  std::vector<int32_t> ids{};  // its tokens, that which ended it not included
  TextEnd end = TextEnd::length;
  int64_t n_prompt = 0;  // tokens of the prompt that were computed; those the session still knew are not counted
  double prefill_seconds = 0;
  double decode_seconds = 0;  // for ids.size() tokens
};

struct TextMessage {
  enum class Role { system, user, assistant };
  Role role = Role::user;
  std::string text{};
};

// One user's state on a model. One thread at a time may use a session; each thread may have its own on a shared model.
class TextSession {
 public:
  // Plans the memory first: more than the budget is an error that says how much is needed.
  static Result<TextSession> create(const TextModel& model, const TextSessionOptions& options = {});
  TextSession(TextSession&&) noexcept;
  TextSession& operator=(TextSession&&) noexcept;
  ~TextSession();

  // Continues the prompt. Every call stands for itself; a prompt that begins as the last one did (or its answer) is
  // computed only from where it differs. A cancelled answer is a reply, not an error.
  Result<TextReply> generate(std::string_view prompt, const TextRequest& request = {},
                             const TextCallback& on_text = {});

  // The assistant's answer to a whole conversation, written by the chat template that the model's files bring (plain
  // text for models without one). A template may refuse a conversation, which is an error with its words. To go on,
  // append the answer and the next message and call again. Message texts never become control tokens.
  Result<TextReply> chat(const std::vector<TextMessage>& messages, const TextRequest& request = {},
                         const TextCallback& on_text = {});

  int64_t n_ctx() const;     // tokens
  int64_t position() const;  // tokens of it in use

  // The state, to go on from in another process: the file is written whole or not at all, replaces an earlier one, and
  // is refused with a reason if it belongs to another model or version or is damaged.
  Status save_cache(const std::string& path) const;
  Status load_cache(const std::string& path);

 private:
  struct Impl;
  explicit TextSession(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace smelt
