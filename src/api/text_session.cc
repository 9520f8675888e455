// smelt/text_session.h over runtime/generate.h.
#include "smelt/text_session.h"

#include <optional>

#include "api/guard.h"
#include "api/handles.h"
#include "grammar/grammar.h"
#include "runtime/session.h"
#include "tokenizers/chat_format.h"

namespace smelt {
namespace {

SamplerOptions to_sampler_options(const TextSampling& s) {
  return {.temperature = s.temperature,
          .top_k = s.top_k,
          .top_p = s.top_p,
          .min_p = s.min_p,
          .typical_p = s.typical_p,
          .repeat_penalty = s.repeat_penalty,
          .presence_penalty = s.presence_penalty,
          .frequency_penalty = s.frequency_penalty,
          .penalty_last_n = s.penalty_last_n,
          .seed = s.seed};
}

TextEnd to_text_end(FinishReason reason) {
  switch (reason) {
    case FinishReason::end_token:
      return TextEnd::end_token;
    case FinishReason::stop_string:
      return TextEnd::stop_string;
    case FinishReason::length:
      return TextEnd::length;
    case FinishReason::context_full:
      return TextEnd::context_full;
    case FinishReason::complete:
      return TextEnd::complete;
    case FinishReason::cancelled:
      break;
  }
  return TextEnd::cancelled;
}

ChatMessage::Role to_role(TextMessage::Role role) {
  switch (role) {
    case TextMessage::Role::system:
      return ChatMessage::Role::system;
    case TextMessage::Role::user:
      return ChatMessage::Role::user;
    case TextMessage::Role::assistant:
      break;
  }
  return ChatMessage::Role::assistant;
}

Result<Grammar> parse(const TextConstraint& constraint) {
  switch (constraint.kind) {
    case TextConstraint::Kind::gbnf:
      return parse_gbnf(constraint.source, "grammar");
    case TextConstraint::Kind::json_schema:
      return parse_json_schema(constraint.source, "schema");
    default:
      return parse_regex_grammar(constraint.source);
  }
}

}  // namespace

struct TextSession::Impl {
  LoadedModel loaded;
  Session session;
  std::shared_ptr<const TokenTrie> trie{};  // made when first needed
  TextConstraint compiled_from{};
  std::shared_ptr<const Nfa> compiled{};  // the last one: programs tend to ask for the same again

  Result<std::optional<Constraint>> make_constraint(const TextConstraint& wanted) {
    std::optional<Constraint> constraint;
    if (wanted.kind == TextConstraint::Kind::none) return constraint;
    if (trie == nullptr) {
      SMELT_ASSIGN(trie, TokenTrie::build(loaded.tokenizer));
    }
    if (compiled == nullptr || wanted.kind != compiled_from.kind || wanted.source != compiled_from.source) {
      SMELT_ASSIGN(const Grammar grammar, parse(wanted));
      SMELT_ASSIGN(Nfa nfa, Nfa::compile(grammar));
      compiled = std::make_shared<const Nfa>(std::move(nfa));
      compiled_from = wanted;
    }
    constraint.emplace(compiled, trie);
    return constraint;
  }

  Result<TextReply> answer(std::span<const TokenId> prompt, const TextRequest& request, std::vector<std::string> stop,
                           const TextCallback& on_text) {
    SMELT_ASSIGN(auto constraint, make_constraint(request.constraint));
    const GenerateOptions options{.n_predict = request.n_predict,
                                  .sampling = to_sampler_options(request.sampling),
                                  .stop = std::move(stop),
                                  .ignore_end = request.ignore_end,
                                  .cancel = request.cancel,
                                  .constraint = constraint ? &*constraint : nullptr};
    const EmitText emit = on_text ? on_text : [](std::string_view) { return true; };
    SMELT_ASSIGN(GenerateResult done, smelt::generate(session, *loaded.tokenizer, prompt, options, emit));
    return TextReply{.text = std::move(done.text),
                     .ids = std::move(done.ids),
                     .end = to_text_end(done.reason),
                     .n_prompt = done.n_prompt,
                     .prefill_seconds = done.prefill_seconds,
                     .decode_seconds = done.decode_seconds};
  }
};

TextSession::TextSession(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TextSession::TextSession(TextSession&&) noexcept = default;
TextSession& TextSession::operator=(TextSession&&) noexcept = default;
TextSession::~TextSession() = default;

Result<TextSession> TextSession::create(const TextModel& model, const TextSessionOptions& options) {
  return guarded([&]() -> Result<TextSession> {
    const LoadedModel& loaded = model.impl().loaded;
    SMELT_ASSIGN(Session session,
                 Session::create(loaded.model, {.n_ctx = options.n_ctx,
                                                .n_threads = options.n_threads,
                                                .pinning = options.pin_threads ? Pinning::pinned : Pinning::free,
                                                .kv_type = options.f32_cache ? KvType::f32 : KvType::f16,
                                                .memory_budget_bytes = options.memory_budget_bytes}));
    return TextSession(std::make_unique<Impl>(Impl{.loaded = loaded, .session = std::move(session)}));
  });
}

Result<TextReply> TextSession::generate(std::string_view prompt, const TextRequest& request,
                                        const TextCallback& on_text) {
  return guarded([&] {
    const std::vector<TokenId> ids =
        impl_->loaded.tokenizer->encode(prompt, {.add_special = true, .parse_special = request.parse_special});
    return impl_->answer(ids, request, request.stop, on_text);
  });
}

Result<TextReply> TextSession::chat(const std::vector<TextMessage>& messages, const TextRequest& request,
                                    const TextCallback& on_text) {
  return guarded([&]() -> Result<TextReply> {
    SMELT_ASSIGN(const ChatFormat format, ChatFormat::of(impl_->loaded.tokenizer));
    std::vector<ChatMessage> conversation;
    for (const TextMessage& message : messages) conversation.push_back({to_role(message.role), message.text});
    std::vector<std::string> stop = request.stop;
    for (std::string& text : format.stop_strings()) stop.push_back(std::move(text));
    SMELT_ASSIGN(const ChatPrompt prompt, format.encode(conversation));
    return impl_->answer(prompt.ids, request, std::move(stop), on_text);
  });
}

int64_t TextSession::n_ctx() const { return impl_->session.n_ctx(); }
int64_t TextSession::position() const { return impl_->session.position(); }

Status TextSession::save_cache(const std::string& path) const {
  return guarded([&] { return impl_->session.save_cache(path); });
}

Status TextSession::load_cache(const std::string& path) {
  return guarded([&] { return impl_->session.load_cache(path); });
}

}  // namespace smelt
