// A session: memory planned, allocated once, and filled by the model's forward pass chunk by chunk.
#include "runtime/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <system_error>

#include "base/check.h"
#include "base/units.h"
#include "runtime/session_file.h"
#include "runtime/session_state.h"

namespace smelt {
namespace {

// A sum in double is finite just when all values are: floats are too small to overflow it.
bool is_finite(std::span<const float> logits) {
  double sum = 0;
  for (const float logit : logits) sum += logit;
  return std::isfinite(sum);
}

constexpr int64_t kVisitedLogits = int64_t{1} << 24;  // of a chunk whose logits are looked at: 64 MiB

Result<LargeMemory> allocate(uint64_t bytes, const SessionPlan& plan) {
  auto memory = LargeMemory::allocate(bytes);
  if (memory) return memory;
  return input_error(fmt::format("{}: {} for a context of {} tokens; take a shorter one", memory.error().message,
                                 format_bytes(plan.total()), plan.n_ctx));
}

}  // namespace

Result<std::shared_ptr<SessionEngine>> SessionEngine::create(const SessionPlan& plan, const SessionOptions& options,
                                                             std::shared_ptr<ThreadPool> threads) {
  auto engine = std::make_shared<SessionEngine>();
  engine->threads = std::move(threads);
  try {
    if (engine->threads == nullptr) engine->threads = std::make_shared<ThreadPool>(options.n_threads, options.pinning);
  } catch (const std::system_error& error) {
    return input_error(
        fmt::format("cannot start {} threads ({}); take fewer (-t)", options.n_threads, error.code().message()));
  }
  SMELT_ASSIGN(engine->workspace, allocate(plan.workspace_bytes, plan));
  return engine;
}

Status Session::State::allocate_sequence() {
  SMELT_ASSIGN(cache, allocate(plan.kv_bytes, plan));
  SMELT_ASSIGN(logits_memory, allocate(plan.logits_bytes, plan));
  const int64_t n_layers = plan.block_bytes > 0 ? model->config().n_layers : 0;
  for (int64_t l = 0; l < n_layers; ++l) {
    layers.push_back({cache.data() + static_cast<uint64_t>(l) * plan.layer_bytes,
                      static_cast<int64_t>(plan.layer_bytes / plan.block_bytes), kv_type});
  }
  tokens.reserve(static_cast<size_t>(plan.n_ctx));
  if (plan.n_states == 0) return {};
  SMELT_ASSIGN(states_memory, allocate(plan.state_bytes, plan));
  state = reinterpret_cast<float*>(states_memory.data());
  if (!is_recurrent()) return {};
  prompt_mark.floats = state + plan.state_floats;
  if (plan.n_states > 2) draft_mark.floats = prompt_mark.floats + plan.state_floats;
  return {};
}

Status Session::State::check_source() const {
  const std::string& path = model->checkpoint().path();
  if (!model->config().source_encoder.exists() || n_source > 0) return {};
  return input_error(
      fmt::format("{}: is an encoder–decoder: it writes about a source text that is encoded first, which "
                  "'smelt run' does and nothing else",
                  path));
}

Status Session::encode(std::span<const TokenId> source) {
  State& s = *state_;
  SMELT_CHECK(s.model->config().source_encoder.exists() && !source.empty());
  truncate(0);
  s.n_source = 0;
  SMELT_TRY(s.check_tokens(source, false));
  s.model->encode({.tokens = source, .state = s.state, .capacity = s.plan.n_ctx, .workspace = s.engine->floats()},
                  *s.engine->threads);
  s.n_source = static_cast<int64_t>(source.size());
  return {};
}

Status Session::State::check_tokens(std::span<const TokenId> ids, bool are_written) const {
  if (are_written) SMELT_TRY(check_source());
  const int64_t room = plan.n_ctx - static_cast<int64_t>(tokens.size());
  if (static_cast<int64_t>(ids.size()) > room) {
    return input_error(
        fmt::format("the context is full: {} tokens of {} are used and {} more were to come; take a longer "
                    "context (-c) or a shorter text",
                    tokens.size(), plan.n_ctx, ids.size()));
  }
  for (const TokenId id : ids) {
    if (id < 0 || static_cast<size_t>(id) >= n_vocab()) {
      return input_error(fmt::format("token {} is not in the vocabulary, allowed 0 … {}", id, n_vocab() - 1));
    }
  }
  return {};
}

Status Session::State::check_finite(std::span<const float> logits, int64_t position) const {
  if (is_finite(logits)) return {};
  return input_error(
      fmt::format("{}: the logits at position {} are not finite; the weights are damaged or overflow in "
                  "this form",
                  model->checkpoint().path(), position));
}

void Session::State::forward(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits,
                             float* hidden) {
  const SequenceSlice part = slice(static_cast<int64_t>(ids.size()), n_logits);
  model->forward({.kind = kind,
                  .tokens = ids,
                  .slices = {&part, 1},
                  .workspace = engine->floats(),
                  .logits = logits,
                  .hidden = hidden},
                 *engine->threads);
  n_written = std::max(n_written, part.position + part.n_tokens);
}

Status Session::State::compute(PassKind kind, std::span<const TokenId> ids, float* logits, int64_t n_logits) {
  forward(kind, ids, logits, n_logits);
  const auto end = static_cast<int64_t>(tokens.size() + ids.size());
  Status finite = check_finite({logits, static_cast<size_t>(n_logits) * n_vocab()}, end - n_logits);
  if (!finite) {
    lose_state();
    return finite;
  }
  tokens.insert(tokens.end(), ids.begin(), ids.end());
  return {};
}

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::create(std::shared_ptr<const Model> model, const SessionOptions& given) {
  auto state = std::make_unique<State>();
  SessionOptions options = given;
  if (options.threads_of != nullptr) options.n_threads = options.threads_of->threads().size();
  SMELT_ASSIGN(state->plan, plan_session_in_budget(*model, options).with_context(model->checkpoint().path()));
  state->model = std::move(model);
  state->kv_type = options.kv_type;
  SMELT_ASSIGN(state->engine,
               SessionEngine::create(state->plan, options,
                                     options.threads_of ? options.threads_of->state_->engine->threads : nullptr));
  SMELT_TRY(state->allocate_sequence());
  return Session(std::move(state));
}

Result<uint64_t> Session::bytes_needed(const Model& model, const SessionOptions& options) {
  SMELT_ASSIGN(const SessionPlan plan, plan_session(model, options));
  return plan.total();
}

int64_t Session::n_ctx() const { return state_->plan.n_ctx; }
int64_t Session::position() const { return static_cast<int64_t>(state_->tokens.size()); }
const std::vector<TokenId>& Session::tokens() const { return state_->tokens; }
std::span<const float> Session::logits() const { return state_->row(state_->last_row); }
const Model& Session::model() const { return *state_->model; }
ThreadPool& Session::threads() { return *state_->engine->threads; }

Status Session::append(std::span<const TokenId> tokens, const CancelToken* cancel) {
  State& s = *state_;
  SMELT_TRY(s.check_tokens(tokens));
  s.last_row = 0;
  const PassKind kind = tokens.size() == 1 ? PassKind::decode : PassKind::prefill;
  const bool marks = s.is_recurrent() && tokens.size() > 1;
  while (!tokens.empty()) {
    if (cancel != nullptr && cancel->cancelled()) return cancelled_error();
    if (marks && tokens.size() == 1) s.set_mark(s.prompt_mark);
    const size_t n_first = marks && tokens.size() > 1 ? tokens.size() - 1 : tokens.size();
    const size_t m = std::min(n_first, static_cast<size_t>(s.plan.chunk));
    const bool last = m == tokens.size();
    SMELT_TRY(s.compute(kind, tokens.first(m), s.last_logits(), last ? 1 : 0));
    tokens = tokens.subspan(m);
  }
  return {};
}

Status Session::append_visiting(std::span<const TokenId> tokens, int64_t first,
                                const std::function<Status(int64_t, std::span<const float>)>& visit) {
  State& s = *state_;
  SMELT_TRY(s.check_tokens(tokens));
  s.last_row = 0;
  const size_t n_vocab = s.n_vocab();
  const int64_t most = std::max<int64_t>(1, kVisitedLogits / static_cast<int64_t>(n_vocab));
  const auto n = static_cast<int64_t>(tokens.size());
  for (int64_t done = 0; done < n;) {
    int64_t m = std::min(n - done, s.plan.chunk);
    if (done < first) m = std::min(m, first - done);  // a chunk is looked at whole or not at all
    if (done >= first) m = std::min(m, most);
    const int64_t n_logits = done >= first ? m : done + m == n ? 1 : 0;
    s.visited_logits.resize(std::max(s.visited_logits.size(), static_cast<size_t>(n_logits) * n_vocab));
    SMELT_TRY(s.compute(PassKind::prefill, tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(m)),
                        s.visited_logits.data(), n_logits));
    for (int64_t i = done; i < done + m && done >= first; ++i) {
      SMELT_TRY(visit(i, std::span(s.visited_logits).subspan(static_cast<size_t>(i - done) * n_vocab, n_vocab)));
    }
    done += m;
    if (done == n) {
      const float* row = s.visited_logits.data() + static_cast<size_t>(n_logits - 1) * n_vocab;
      std::copy(row, row + n_vocab, s.last_logits());
    }
  }
  return {};
}

Status Session::append_hidden(std::span<const TokenId> tokens,
                              const std::function<Status(int64_t, std::span<const float>)>& visit) {
  State& s = *state_;
  SMELT_TRY(s.check_tokens(tokens));
  const auto d = static_cast<size_t>(s.model->config().d_model);
  std::vector<float> rows;
  const auto n = static_cast<int64_t>(tokens.size());
  for (int64_t done = 0; done < n;) {
    const int64_t m = std::min(n - done, s.plan.chunk);
    rows.resize(static_cast<size_t>(m) * d);
    s.forward(PassKind::prefill, tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(m)), nullptr, m,
              rows.data());
    Status finite = s.check_finite(rows, done);
    if (!finite) {
      s.lose_state();
      return finite;
    }
    const auto chunk = tokens.subspan(static_cast<size_t>(done), static_cast<size_t>(m));
    s.tokens.insert(s.tokens.end(), chunk.begin(), chunk.end());
    for (int64_t i = 0; i < m; ++i) {
      SMELT_TRY(visit(done + i, std::span(rows).subspan(static_cast<size_t>(i) * d, d)));
    }
    done += m;
  }
  return {};
}

Result<int64_t> Session::verify(std::span<const TokenId> tokens) {
  State& s = *state_;
  const auto m = static_cast<int64_t>(tokens.size());
  SMELT_CHECK(m >= 1 && m <= s.plan.max_draft + 1);
  SMELT_TRY(s.check_tokens(tokens));
  s.last_row = 0;
  if (m > 1 && s.is_recurrent()) s.set_mark(s.draft_mark);
  s.forward(PassKind::decode, tokens, s.last_logits(), m);
  size_t taken = 0;
  while (taken < tokens.size() && is_finite(s.row(taken))) ++taken;
  if (taken < tokens.size() && m > 1 && s.is_recurrent()) {
    std::copy_n(s.draft_mark.floats, s.plan.state_floats, s.state);
    if (taken > 0) s.forward(PassKind::decode, tokens.first(taken), nullptr, 0);
  }
  if (taken == 0) {
    // A later token's values, of weight 0 in attention, may have spoilt the first one's where they are not finite.
    if (m > 1) s.forward(PassKind::decode, tokens.first(1), s.last_logits(), 1);
    Status finite = s.check_finite(s.row(0), position());
    if (!finite) {
      s.lose_state();
      return finite.error();
    }
    taken = 1;
  }
  s.tokens.insert(s.tokens.end(), tokens.begin(), tokens.begin() + static_cast<int64_t>(taken));
  s.last_row = taken - 1;
  return static_cast<int64_t>(taken);
}

std::span<const float> Session::logits_at(int64_t index) const { return state_->row(static_cast<size_t>(index)); }
int64_t Session::max_draft() const { return state_->plan.max_draft; }

int64_t Session::truncate(int64_t position) {
  SMELT_CHECK(position >= 0 && position <= this->position());
  State& s = *state_;
  if (s.is_recurrent()) return s.rewind_state(position);
  s.n_written = std::max(s.n_written, this->position());
  if (position < this->position() && !s.holds(position)) position = 0;
  if (position == 0) s.n_written = s.first_held = 0;
  s.tokens.resize(static_cast<size_t>(position));
  return position;
}

void Session::State::set_mark(StateMark& mark) const {
  mark.position = static_cast<int64_t>(tokens.size());
  if (mark.position > 0) std::copy_n(state, plan.state_floats, mark.floats);
}

int64_t Session::State::rewind_state(int64_t position) {
  if (position == static_cast<int64_t>(tokens.size())) return position;
  for (StateMark* mark : {&draft_mark, &prompt_mark}) {
    if (mark->position > position) mark->position = -1;
  }
  const bool in_draft = draft_mark.position >= 0 && position - draft_mark.position <= plan.max_draft + 1;
  const StateMark& mark = in_draft ? draft_mark : prompt_mark;
  const int64_t from = std::max<int64_t>(0, mark.position);
  if (from > 0) std::copy_n(mark.floats, plan.state_floats, state);
  const int64_t n_again = in_draft ? position - from : 0;
  std::array<TokenId, kMaxDraft + 1> again{};
  std::copy_n(tokens.begin() + from, n_again, again.begin());
  tokens.resize(static_cast<size_t>(from));
  if (n_again == 0) return from;
  // Bit for bit as in the pass that they were part of.
  forward(PassKind::decode, {again.data(), static_cast<size_t>(n_again)}, nullptr, 0);
  tokens.insert(tokens.end(), again.begin(), again.begin() + n_again);
  return position;
}

// After a pass whose tokens do not count.
void Session::State::lose_state() {
  if (!is_recurrent()) return;
  draft_mark.position = -1;
  const int64_t from = std::max<int64_t>(0, prompt_mark.position);
  if (from > 0) std::copy_n(prompt_mark.floats, plan.state_floats, state);
  tokens.resize(static_cast<size_t>(from));
}

// Whether what a token at this position sees is still in the cache.
bool Session::State::holds(int64_t position) const {
  const int64_t window = model->config().window;
  if (window == 0) return true;
  const int64_t n_blocks = layers.front().n_blocks;
  const int64_t last_block = (std::max(n_written, static_cast<int64_t>(tokens.size())) + kKvBlock - 1) / kKvBlock - 1;
  const int64_t first_block = std::max(first_held / kKvBlock, last_block - n_blocks + 1);
  return std::max<int64_t>(0, position - window + 1) / kKvBlock >= first_block;
}

// With a window: what the next token sees, and the one before it where that is there, so that a prompt can be
// continued from its last token.
int64_t Session::State::first_saved() const {
  const int64_t window = model->config().window;
  const auto n = static_cast<int64_t>(tokens.size());
  if (window == 0 || n == 0) return 0;
  const int64_t first = std::max<int64_t>(0, holds(n - 1) ? n - window : n - window + 1);
  return first / kKvBlock * kKvBlock;
}

Status Session::State::check_saved() const {
  if (!model->config().source_encoder.exists()) return {};
  return input_error("prompt caches of encoder–decoders are not supported; leave out --prompt-cache");
}

Status Session::save_cache(const std::string& path) const {
  SMELT_TRY(state_->check_saved());
  return save_session_file(state_->image(), {state_->tokens, state_->first_saved(), state_->prompt_mark.position},
                           path);
}

Status Session::load_cache(const std::string& path) {
  SMELT_TRY(state_->check_saved());
  SMELT_ASSIGN(const LoadedSession loaded, load_session_file(state_->image(), path));
  state_->tokens.assign(loaded.tokens.begin(), loaded.tokens.end());  // keeps the room reserved
  state_->n_written = position();
  state_->first_held = loaded.first_position;
  state_->prompt_mark.position = loaded.mark_position;
  state_->draft_mark.position = -1;
  return {};
}

}  // namespace smelt
