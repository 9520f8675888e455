#include "runtime/batch.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/checked.h"
#include "base/units.h"
#include "runtime/session_state.h"

namespace smelt {
namespace {

constexpr int64_t kMaxSequences = 1024;

struct BatchPlan {
  SessionPlan session;
  uint64_t bytes = 0;  // of all sequences and the workspace
};

Result<BatchPlan> plan_batch(const Model& model, int64_t n_sequences, const SessionOptions& options) {
  if (n_sequences < 1 || n_sequences > kMaxSequences) {
    return usage_error(fmt::format("{} sequences, allowed 1 … {}", n_sequences, kMaxSequences));
  }
  BatchPlan plan;
  SessionOptions wide = options;
  wide.prefill_chunk = std::max(options.prefill_chunk, n_sequences);
  SMELT_ASSIGN(plan.session, plan_session(model, wide));
  // A pass has a token of each sequence, however short their contexts are.
  plan.session.workspace_bytes = std::max(
      plan.session.workspace_bytes,
      sizeof(float) *
          static_cast<uint64_t>(model.workspace_floats(std::max(plan.session.chunk, n_sequences), plan.session.n_ctx,
                                                       options.n_threads > 0 ? options.n_threads : default_threads())));
  const auto n = static_cast<uint64_t>(n_sequences);
  // Each sequence's logits, and those of a pass.
  const auto sequences = checked_mul(n, plan.session.sequence_bytes() + 2 * plan.session.logits_bytes);
  const auto bytes = sequences ? checked_add(*sequences, plan.session.workspace_bytes) : std::nullopt;
  if (!bytes) return input_error("the memory of the batch overflows 64 bits; take fewer sequences");
  plan.bytes = *bytes;
  return plan;
}

}  // namespace

// Memory of one pass, planned for all sequences at once.
struct Batch::Pass {
  std::vector<TokenId> tokens;
  std::vector<SequenceSlice> slices;
  std::vector<bool> taken;
  LargeMemory logits;

  float* row(size_t i, size_t n_vocab) const { return reinterpret_cast<float*>(logits.data()) + i * n_vocab; }
};

Batch::Batch(std::vector<Session> sequences, std::unique_ptr<Pass> pass)
    : sequences_(std::move(sequences)), pass_(std::move(pass)) {}

Result<uint64_t> Batch::bytes_needed(const Model& model, int64_t n_sequences, const SessionOptions& options) {
  SMELT_ASSIGN(const BatchPlan plan, plan_batch(model, n_sequences, options));
  return plan.bytes;
}

Result<Batch> Batch::create(const std::shared_ptr<const Model>& model, int64_t n_sequences,
                            const SessionOptions& options) {
  SMELT_ASSIGN(const BatchPlan plan, plan_batch(*model, n_sequences, options).with_context(model->checkpoint().path()));
  const uint64_t weights = model->checkpoint().file_bytes();
  const uint64_t budget = options.memory_budget_bytes > 0 ? options.memory_budget_bytes : memory_budget_bytes();
  if (weights > budget || plan.bytes > budget - weights) {
    return input_error(
        fmt::format("{}: {} sequences of {} tokens need {} besides weights of {}, the memory budget is {}; take fewer "
                    "or shorter ones",
                    model->checkpoint().path(), n_sequences, plan.session.n_ctx, format_bytes(plan.bytes),
                    format_bytes(weights), format_bytes(budget)));
  }
  SMELT_ASSIGN(const std::shared_ptr<SessionEngine> engine, SessionEngine::create(plan.session, options));
  std::vector<Session> sequences;
  for (int64_t i = 0; i < n_sequences; ++i) {
    auto state = std::make_unique<Session::State>();
    state->model = model;
    state->kv_type = options.kv_type;
    state->plan = plan.session;
    state->engine = engine;
    SMELT_TRY(state->allocate_sequence());
    sequences.push_back(Session(std::move(state)));
  }
  auto pass = std::make_unique<Pass>();
  const auto n = static_cast<size_t>(n_sequences);
  pass->tokens.reserve(n);
  pass->slices.reserve(n);
  pass->taken.resize(n);
  SMELT_ASSIGN(pass->logits, LargeMemory::allocate(n * plan.session.logits_bytes));
  return Batch(std::move(sequences), std::move(pass));
}

Status Batch::check(std::span<const BatchToken> tokens, std::span<Status> errors) {
  SMELT_CHECK(errors.size() == tokens.size());
  std::fill(pass_->taken.begin(), pass_->taken.end(), false);
  for (const BatchToken& token : tokens) {
    SMELT_CHECK(token.sequence >= 0 && token.sequence < size());
    const auto at = static_cast<size_t>(token.sequence);
    if (pass_->taken[at])
      return usage_error(fmt::format("sequence {} is given two tokens in one pass", token.sequence));
    pass_->taken[at] = true;
    SMELT_TRY(sequences_[at].state_->check_tokens({&token.token, 1}));
  }
  return {};
}

Status Batch::decode(std::span<const BatchToken> tokens, std::span<Status> errors) {
  if (tokens.empty()) return {};
  SMELT_TRY(check(tokens, errors));
  pass_->tokens.clear();
  pass_->slices.clear();
  for (const BatchToken& token : tokens) {
    pass_->tokens.push_back(token.token);
    pass_->slices.push_back(sequences_[static_cast<size_t>(token.sequence)].state_->slice(1, 1));
  }
  const Session::State& first = *sequences_.front().state_;
  first.model->forward({.kind = PassKind::decode,
                        .tokens = pass_->tokens,
                        .slices = pass_->slices,
                        .workspace = first.engine->floats(),
                        .logits = pass_->row(0, 0)},
                       *first.engine->threads);
  for (size_t i = 0; i < tokens.size(); ++i) {
    Session::State& s = *sequences_[static_cast<size_t>(tokens[i].sequence)].state_;
    const std::span<const float> row(pass_->row(i, s.n_vocab()), s.n_vocab());
    s.n_written = std::max(s.n_written, static_cast<int64_t>(s.tokens.size()) + 1);
    errors[i] = s.check_finite(row, static_cast<int64_t>(s.tokens.size()));
    if (!errors[i]) s.lose_state();
    if (!errors[i]) continue;
    std::copy(row.begin(), row.end(), s.last_logits());
    s.last_row = 0;
    s.tokens.push_back(tokens[i].token);
  }
  return {};
}

}  // namespace smelt
