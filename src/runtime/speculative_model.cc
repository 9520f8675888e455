// A draft model, its cache kept in step with the text.
#include "runtime/speculative_model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "base/text.h"
#include "base/units.h"

namespace smelt {
namespace {

Status check_vocabularies(const LoadedModel& model, const LoadedModel& draft) {
  const std::vector<Token>& wanted = model.tokenizer->vocab().tokens;
  const std::vector<Token>& given = draft.tokenizer->vocab().tokens;
  const auto [a, b] = std::mismatch(wanted.begin(), wanted.end(), given.begin(), given.end(),
                                    [](const Token& x, const Token& y) { return x.text == y.text; });
  if (a == wanted.end() && b == given.end()) return {};
  const auto shown = [](auto at, auto end) {
    return at == end ? std::string("missing") : "'" + escape_for_display(at->text) + "'";
  };
  return input_error(
      fmt::format("{}: token {} is {} here and {} in {}; a draft model needs the same vocabulary as the model",
                  draft.model->checkpoint().path(), b - given.begin(), shown(b, given.end()), shown(a, wanted.end()),
                  model.model->checkpoint().path()));
}

// What the model and its session leave of the budget.
Result<uint64_t> left_budget(const LoadedModel& model, const Session& session, SessionOptions options) {
  options.n_ctx = session.n_ctx();
  SMELT_ASSIGN(const uint64_t bytes, Session::bytes_needed(*model.model, options));
  const uint64_t used = bytes + model.model->checkpoint().file_bytes();
  const uint64_t budget = options.memory_budget_bytes > 0 ? options.memory_budget_bytes : memory_budget_bytes();
  return budget > used ? budget - used : 1;
}

}  // namespace

Result<std::unique_ptr<Drafter>> ModelDrafter::create(const LoadedModel& model, Session& session, LoadedModel draft,
                                                      const SessionOptions& options) {
  SMELT_TRY(check_vocabularies(model, draft));
  SessionOptions own = options;
  SMELT_ASSIGN(own.memory_budget_bytes, left_budget(model, session, options));
  own.n_ctx = std::min(session.n_ctx(), draft.model->config().n_ctx_train);
  own.max_draft = 0;
  own.threads_of = &session;
  SMELT_ASSIGN(Session drafting, Session::create(draft.model, own));
  const auto n_tokens = static_cast<int64_t>(draft.tokenizer->vocab().tokens.size());
  return std::unique_ptr<Drafter>(new ModelDrafter(std::move(drafting), n_tokens));
}

Status ModelDrafter::begin(std::span<const TokenId> text, const CancelToken* cancel) {
  n_agreed_ = 0;
  if (given_up_ || static_cast<int64_t>(text.size()) > session_.n_ctx()) return {};
  const std::vector<TokenId>& known = session_.tokens();
  n_agreed_ =
      static_cast<size_t>(std::mismatch(known.begin(), known.end(), text.begin(), text.end()).first - known.begin());
  n_agreed_ = static_cast<size_t>(session_.truncate(static_cast<int64_t>(n_agreed_)));  // or 0, with a window
  SMELT_TRY(session_.append(text.subspan(n_agreed_), cancel));
  n_agreed_ = text.size();
  return {};
}

// Brings the cache to the end of the text, whose last token is computed: its logits are needed.
Status ModelDrafter::append(std::span<const TokenId> text) {
  const std::vector<TokenId>& known = session_.tokens();
  const size_t most = std::min(known.size(), text.size() - 1);
  while (n_agreed_ < most && known[n_agreed_] == text[n_agreed_]) ++n_agreed_;
  n_agreed_ = std::min(n_agreed_, most);
  n_agreed_ = static_cast<size_t>(session_.truncate(static_cast<int64_t>(n_agreed_)));  // or 0, with a window
  SMELT_TRY(session_.append(text.subspan(n_agreed_)));
  n_agreed_ = text.size();
  return {};
}

// The text does not need the draft model, so that its failure does not end it.
void ModelDrafter::give_up(const Error& error) {
  given_up_ = true;
  log(LogLevel::warning, "going on without the draft model: " + error.message);
}

int64_t ModelDrafter::propose(std::span<const TokenId> text, std::span<TokenId> draft) {
  const int64_t room = session_.n_ctx() - static_cast<int64_t>(text.size()) + 1;  // the last guess needs no place
  const int64_t n = std::min(static_cast<int64_t>(draft.size()), room);
  if (given_up_ || n <= 0) return 0;
  Status done = append(text);
  for (int64_t i = 0; done; ++i) {
    const auto logits = session_.logits().first(static_cast<size_t>(n_tokens_));
    TokenId& id = draft[static_cast<size_t>(i)];
    id = static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (i + 1 == n) return n;
    done = session_.append({&id, 1});
  }
  give_up(done.error());
  return 0;
}

}  // namespace smelt
