// The main path on one page: file → model and tokenizer → (session) → prompt → prefill → loop {sample, emit, decode}.
// `smelt run`, `smelt chat` and the public TextSession call it; sampling, stop texts, decoding of bytes and the step
// from token to token (speculative.h) are in their own files.
#include "runtime/generate.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "runtime/stop_matcher.h"

namespace smelt {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Status check_prompt(const Session& session, std::span<const TokenId> prompt) {
  if (prompt.empty()) return input_error("the prompt has no tokens, and the vocabulary no begin token to start from");
  if (static_cast<int64_t>(prompt.size()) <= session.n_ctx()) return {};
  return input_error(
      fmt::format("the prompt has {} tokens, the context {}; take a longer context (-c) or a shorter "
                  "prompt",
                  prompt.size(), session.n_ctx()));
}

// Encoder–decoders read the prompt at once, and write from a token of their own.
Status encode_source(Session& session, std::span<const TokenId> source, GenerateResult& result) {
  SMELT_TRY(check_prompt(session, source));
  const Clock::time_point start = Clock::now();
  SMELT_TRY(session.encode(source));
  result.prefill_seconds = seconds_since(start);
  result.n_prompt = static_cast<int64_t>(source.size());
  return {};
}

// Brings the session to the end of the prompt. The last token is always computed: its logits are needed.
Status prefill(Session& session, Speculation& steps, std::span<const TokenId> prompt, const GenerateOptions& options,
               GenerateResult& result) {
  SMELT_TRY(check_prompt(session, prompt));
  const std::vector<TokenId>& known = session.tokens();
  const size_t most = std::min(known.size(), prompt.size() - 1);
  const auto differs = std::mismatch(known.begin(), known.begin() + static_cast<int64_t>(most), prompt.begin());
  const int64_t n_known = session.truncate(differs.first - known.begin());
  const Clock::time_point start = Clock::now();
  Status done = session.append(prompt.subspan(static_cast<size_t>(n_known)), options.cancel);
  if (done) done = steps.begin(session, prompt, options.n_predict, options.cancel);
  result.prefill_seconds += seconds_since(start);
  result.n_prompt += session.position() - n_known;
  return done;
}

// What text the model has written, and who is told of it.
class Writer {
 public:
  Writer(const Tokenizer& tokenizer, const GenerateOptions& options, bool at_start, const EmitText& emit,
         std::string& text)
      : decoder_(tokenizer, options.show_special, at_start), stops_(options.stop), emit_(emit), text_(text) {}

  void push(TokenId id) { show(stops_.push(decoder_.push(id))); }
  void finish() {
    show(stops_.push(decoder_.finish()));
    show(stops_.finish());
  }
  bool stopped() const { return stops_.stopped(); }
  bool refused() const { return refused_; }  // emit wants no more

 private:
  void show(const std::string& piece) {
    if (piece.empty() || refused_) return;
    text_ += piece;
    refused_ = !emit_(piece);
  }

  StreamDecoder decoder_;
  StopMatcher stops_;
  const EmitText& emit_;
  std::string& text_;
  bool refused_ = false;
};

Sampler make_sampler(const Session& session, std::span<const TokenId> prompt, const SamplerOptions& options) {
  Sampler sampler(options, session.model().config().n_vocab);
  for (const TokenId id : prompt) sampler.accept(id);
  return sampler;
}

// Draws the next token, from those that the constraint allows.
Result<TokenId> draw(Sampler& sampler, const Speculation& steps, const GenerateOptions& options, size_t n_written) {
  if (options.constraint == nullptr) return sampler.sample(steps.logits());
  int64_t n_left = steps.n_free() + 1;  // the last token needs no place
  if (options.n_predict >= 0) n_left = std::min(n_left, options.n_predict - static_cast<int64_t>(n_written));
  SMELT_ASSIGN(const auto mask, options.constraint->mask(n_left));
  return sampler.sample(steps.logits(), mask);
}

// Decodes until something ends it, and says what.
Result<FinishReason> decode(Speculation& steps, const Tokenizer& tokenizer, const GenerateOptions& options,
                            Sampler sampler, Writer& writer, std::vector<TokenId>& ids) {
  while (true) {
    if (options.constraint != nullptr && options.constraint->must_end()) return FinishReason::complete;
    if (options.n_predict >= 0 && static_cast<int64_t>(ids.size()) >= options.n_predict) return FinishReason::length;
    if (options.cancel != nullptr && options.cancel->cancelled()) return FinishReason::cancelled;
    SMELT_ASSIGN(const TokenId id, draw(sampler, steps, options, ids.size()));
    if (tokenizer.is_end(id) && !options.ignore_end) return FinishReason::end_token;
    if (options.constraint != nullptr) SMELT_TRY(options.constraint->accept(id));
    sampler.accept(id);
    ids.push_back(id);
    writer.push(id);
    if (writer.stopped()) return FinishReason::stop_string;
    if (writer.refused()) return FinishReason::cancelled;
    if (options.constraint != nullptr && options.constraint->must_end()) return FinishReason::complete;
    if (static_cast<int64_t>(ids.size()) == options.n_predict) return FinishReason::length;
    if (steps.full()) return FinishReason::context_full;
    SMELT_TRY(steps.append(id));
  }
}

Status begin_constraint(const GenerateOptions& options, bool at_start) {
  if (options.constraint == nullptr) return {};
  if (!options.stop.empty()) return usage_error("stop texts would cut constrained output; leave them out");
  if (options.ignore_end) return usage_error("the end token ends constrained output; it cannot be ignored");
  options.constraint->begin(at_start);
  return {};
}

// What was cut is no success: the caller must not take it for a text of the grammar.
Status check_complete(FinishReason reason, const GenerateOptions& options) {
  if (options.constraint == nullptr || options.constraint->may_end() || reason == FinishReason::cancelled) return {};
  if (reason == FinishReason::context_full)
    return input_error("the context was full before the text was complete as the constraint wants; -c makes it longer");
  return input_error(
      fmt::format("the text was cut after {} tokens (-n) before it was complete as the constraint wants; "
                  "allow more",
                  options.n_predict));
}

}  // namespace

const char* finish_reason_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::end_token:
      return "end_token";
    case FinishReason::stop_string:
      return "stop_string";
    case FinishReason::length:
      return "length";
    case FinishReason::context_full:
      return "context_full";
    case FinishReason::complete:
      return "complete";
    case FinishReason::cancelled:
      break;
  }
  return "cancelled";
}

Result<LoadedModel> load_model(const std::string& path, Compute compute) {
  SMELT_ASSIGN(Checkpoint opened, Checkpoint::open(path));
  const auto checkpoint = std::make_shared<const Checkpoint>(std::move(opened));
  LoadedModel loaded;
  SMELT_ASSIGN(loaded.model, Model::load(checkpoint, compute));
  SMELT_ASSIGN(loaded.tokenizer, load_tokenizer(*checkpoint));
  return loaded;
}

Result<GenerateResult> generate(Session& session, const Tokenizer& tokenizer, std::span<const TokenId> prompt,
                                const GenerateOptions& options, const EmitText& emit) {
  SMELT_TRY(check_sampler_options(options.sampling));
  GenerateResult result;
  const bool at_start = tokenizer.decode(prompt, false).empty();
  SMELT_TRY(begin_constraint(options, at_start));
  const SourceEncoderConfig& encoder = session.model().config().source_encoder;
  if (encoder.exists()) {
    SMELT_TRY(encode_source(session, prompt, result));
    prompt = {&encoder.start_token, 1};
  }
  Speculation one_by_one;
  Speculation& steps = options.speculation != nullptr ? *options.speculation : one_by_one;
  Status ready = prefill(session, steps, prompt, options, result);
  if (!ready && ready.error().kind == ErrorKind::cancelled) {
    result.reason = FinishReason::cancelled;
    return result;
  }
  SMELT_TRY(std::move(ready));
  Writer writer(tokenizer, options, at_start, emit, result.text);
  const Clock::time_point start = Clock::now();
  auto reason = decode(steps, tokenizer, options, make_sampler(session, prompt, options.sampling), writer, result.ids);
  steps.end();
  SMELT_ASSIGN(result.reason, std::move(reason));
  result.speculation = steps.figures();
  writer.finish();
  result.decode_seconds = seconds_since(start);
  if (writer.stopped()) result.reason = FinishReason::stop_string;
  SMELT_TRY(check_complete(result.reason, options));
  return result;
}

}  // namespace smelt
