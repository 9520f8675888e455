#include "runtime/session_plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "base/log.h"
#include "base/units.h"

namespace smelt {
namespace {

constexpr int64_t kMaxContext = int64_t{1} << 30;
constexpr int64_t kMaxChunk = 1 << 14;
constexpr int kMaxThreads = 1024;
constexpr int64_t kLeastContext = 64;  // a context that was not asked for is not reduced below this

Status check_options(const SessionOptions& o) {
  if (o.n_ctx < 0 || o.n_ctx > kMaxContext) {
    return usage_error(fmt::format("the context is {} tokens, allowed 1 … {}", o.n_ctx, kMaxContext));
  }
  if (o.n_threads < 0 || o.n_threads > kMaxThreads) {
    return usage_error(fmt::format("{} threads, allowed 1 … {}", o.n_threads, kMaxThreads));
  }
  if (o.prefill_chunk < 1 || o.prefill_chunk > kMaxChunk) {
    return usage_error(fmt::format("the prefill chunk is {} tokens, allowed 1 … {}", o.prefill_chunk, kMaxChunk));
  }
  if (o.max_draft < 0 || o.max_draft > kMaxDraft) {
    return usage_error(fmt::format("drafts of {} tokens, allowed 0 … {}", o.max_draft, kMaxDraft));
  }
  return {};
}

uint64_t budget_of(const SessionOptions& options) {
  return options.memory_budget_bytes > 0 ? options.memory_budget_bytes : memory_budget_bytes();
}

Error does_not_fit(const SessionPlan& plan, uint64_t weights, uint64_t budget) {
  const auto needed = checked_add(plan.total(), weights);
  return input_error(
      fmt::format("a context of {} tokens needs {} (weights {}, {} {}, workspace {}), the memory budget is {}; take a "
                  "shorter "
                  "context or a smaller model",
                  plan.n_ctx, format_bytes(needed.value_or(UINT64_MAX)), format_bytes(weights),
                  plan.n_states > 1 ? "state" : "KV cache", format_bytes(plan.sequence_bytes()),
                  format_bytes(plan.workspace_bytes + plan.logits_bytes), format_bytes(budget)));
}

}  // namespace

namespace {

Status plan_kv_cache(const ModelConfig& c, const SessionOptions& options, SessionPlan& plan) {
  if (c.n_kv_heads == 0) return {};
  const KvShape shape = {c.n_kv_heads, c.d_head, options.kv_type};
  constexpr int64_t kLeastRollback = 64;  // so that a draft or a changed end of a prompt costs nothing
  const int64_t ring = c.window > 0 ? kv_ring_positions(c.window, std::max(plan.chunk, kLeastRollback)) : plan.n_ctx;
  const auto layer = kv_layer_bytes(shape, std::min(plan.n_ctx, ring));
  const auto kv = layer ? checked_mul(*layer, static_cast<uint64_t>(c.n_layers)) : std::nullopt;
  if (!kv || *kv > INT64_MAX) return input_error("the size of the KV cache exceeds 2^63 bytes; take a shorter context");
  plan.block_bytes = static_cast<uint64_t>(kv_block_bytes(shape));
  plan.layer_bytes = *layer;
  plan.kv_bytes = *kv;
  return {};
}

// A state cannot be run backwards: that before the last token of a prompt is kept, and that before a draft.
Status plan_states(const Model& model, SessionPlan& plan) {
  const SequenceMemory memory = model.sequence_memory(plan.n_ctx);
  plan.state_floats = memory.floats;
  if (plan.state_floats == 0) return {};
  const int64_t n_earlier = plan.max_draft > 0 ? 2 : 1;
  plan.n_states = memory.is_recurrent ? 1 + n_earlier : 1;
  const auto floats = checked_mul(static_cast<uint64_t>(plan.state_floats), static_cast<uint64_t>(plan.n_states));
  const auto bytes = floats ? checked_mul(*floats, sizeof(float)) : std::nullopt;
  if (!bytes || *bytes > INT64_MAX) return input_error("the size of the state exceeds 2^63 bytes");
  plan.state_bytes = *bytes;
  return {};
}

}  // namespace

Result<SessionPlan> plan_session(const Model& model, const SessionOptions& options) {
  SMELT_TRY(check_options(options));
  const ModelConfig& c = model.config();
  SessionPlan plan;
  plan.n_ctx = options.n_ctx > 0 ? options.n_ctx : std::min(c.n_ctx_train, kMaxContext);
  if (c.learned_positions && plan.n_ctx > c.n_ctx_train) {
    return usage_error(fmt::format("a context of {} tokens, but the model has learned {} positions and no more",
                                   plan.n_ctx, c.n_ctx_train));
  }
  plan.chunk = std::min(options.prefill_chunk, plan.n_ctx);
  plan.max_draft = std::min(options.max_draft, plan.n_ctx - 1);
  const int n_threads = options.n_threads > 0 ? options.n_threads : default_threads();
  SMELT_TRY(plan_kv_cache(c, options, plan));
  SMELT_TRY(plan_states(model, plan));
  plan.workspace_bytes = sizeof(float) * static_cast<uint64_t>(model.workspace_floats(
                                             std::max(plan.chunk, plan.max_draft + 1), plan.n_ctx, n_threads));
  plan.logits_bytes = sizeof(float) * static_cast<uint64_t>(c.n_vocab) * static_cast<uint64_t>(plan.max_draft + 1);
  return plan;
}

Result<SessionPlan> plan_session_in_budget(const Model& model, const SessionOptions& options) {
  const uint64_t weights = model.checkpoint().file_bytes();
  const uint64_t budget = budget_of(options);
  const auto fits = [&](const SessionPlan& plan) { return weights <= budget && plan.total() <= budget - weights; };
  SMELT_ASSIGN(SessionPlan plan, plan_session(model, options));
  if (fits(plan)) return plan;
  if (options.n_ctx > 0) return does_not_fit(plan, weights, budget);
  const int64_t wanted = plan.n_ctx;
  SessionOptions smaller = options;
  while (!fits(plan) && plan.n_ctx > kLeastContext) {
    smaller.n_ctx = std::max(kLeastContext, plan.n_ctx / 2);
    SMELT_ASSIGN(plan, plan_session(model, smaller));
  }
  if (!fits(plan)) return does_not_fit(plan, weights, budget);
  log(LogLevel::note, fmt::format("the context is reduced from {} to {} tokens: the memory budget is {}", wanted,
                                  plan.n_ctx, format_bytes(budget)));
  return plan;
}

}  // namespace smelt
