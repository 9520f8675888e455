// The main path: prompt in, text out. generate.cc is the one page that shows how the floors fit together.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/progress.h"
#include "base/result.h"
#include "grammar/constraint.h"
#include "runtime/sampler.h"
#include "runtime/session.h"
#include "runtime/speculative.h"

namespace smelt {

// A model opened for use: file → checkpoint → model + tokenizer.
struct LoadedModel {
  std::shared_ptr<const Model> model;
  std::shared_ptr<const Tokenizer> tokenizer;
};
Result<LoadedModel> load_model(const std::string& path, Compute compute = Compute::int8);

struct GenerateOptions {
  int64_t n_predict = 256;  // tokens at most; -1: until the end token or a full context
  SamplerOptions sampling;
  std::vector<std::string> stop{};  // generation ends before the first of these
  bool ignore_end = false;
  bool show_special = false;  // the text has control tokens too, as marks of calls and thoughts
  const CancelToken* cancel = nullptr;
  Speculation* speculation = nullptr;  // of the session's owner; null: a pass a token
  // The text is held to this, if given, guesses or not. What ends before it is complete is an error, except that
  // cancelling it is a result as always. Stop strings and ignore_end would cut or spoil the text: usage errors.
  Constraint* constraint = nullptr;
};

// complete: of a constraint, when nothing more may follow.
enum class FinishReason { end_token, stop_string, length, context_full, cancelled, complete };
const char* finish_reason_name(FinishReason reason);

struct GenerateResult {
  std::string text;          // what was emitted
  std::vector<TokenId> ids;  // generated ids, the end token not included
  FinishReason reason = FinishReason::length;
  int64_t n_prompt = 0;  // prompt tokens computed (those taken from a cache not counted)
  double prefill_seconds = 0;
  double decode_seconds = 0;  // for ids.size() tokens
  SpeculationFigures speculation;
};

// Called with each piece of text as it becomes certain: whole UTF-8 characters, no part of a stop string. Returning
// false ends the generation (reason cancelled).
using EmitText = std::function<bool(std::string_view)>;

// Appends the prompt to the session (reusing what its cache already holds of it), then decodes. A prompt that does not
// fit into the context is an error; a context that fills up while decoding ends the text (context_full). Interruption
// is a result, not an error.
Result<GenerateResult> generate(Session& session, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                                const GenerateOptions& options, const EmitText& emit);

}  // namespace smelt
