// The pass with guesses, and the walk through its rows.
#include "runtime/speculative.h"

#include <algorithm>
#include <chrono>

#include "base/check.h"

namespace smelt {
namespace {

double machine_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

Speculation::Speculation(std::unique_ptr<Drafter> drafter, SpeculationOptions options)
    : drafter_(std::move(drafter)), options_(std::move(options)), length_(options_.max_draft) {
  if (!options_.clock) options_.clock = machine_seconds;
}

Status Speculation::begin(Session& session, std::span<const TokenId> text, int64_t n_predict,
                          const CancelToken* cancel) {
  session_ = &session;
  n_pass_ = n_used_ = 0;
  figures_ = {};
  if (drafter_ == nullptr) return {};
  text_.reserve(static_cast<size_t>(session.n_ctx()) + 1);
  text_.assign(text.begin(), text.end());
  text_end_ = n_predict < 0 ? -1 : static_cast<int64_t>(text.size()) + n_predict;
  pass_.resize(static_cast<size_t>(std::min(options_.max_draft, session.max_draft())) + 1);
  length_.begin_text();
  return drafter_->begin(text, cancel);
}

std::span<const float> Speculation::logits() const {
  return n_pass_ == 0 ? session_->logits() : session_->logits_at(n_used_ - 1);
}

int64_t Speculation::n_free() const { return session_->n_ctx() - position(); }

void Speculation::forget_guesses(bool failed) {
  length_.tested(std::max<int64_t>(n_used_ - 1, 0), failed && n_used_ < n_pass_);
  if (n_used_ < n_pass_) session_->truncate(position());
  n_pass_ = n_used_ = 0;
}

void Speculation::end() {
  if (n_pass_ > 0) forget_guesses(false);
}

SpeculationFigures Speculation::figures() const {
  SpeculationFigures figures = figures_;
  if (drafter_ != nullptr) figures.length = options_.adaptive ? length_.best() : options_.max_draft;
  return figures;
}

Status Speculation::append(TokenId id) {
  if (drafter_ == nullptr) {
    ++figures_.passes;
    return session_->append({&id, 1});
  }
  text_.push_back(id);
  if (n_used_ < n_pass_ && pass_[static_cast<size_t>(n_used_)] == id) {
    ++n_used_;
    ++figures_.accepted;
    return {};
  }
  if (n_pass_ > 0) forget_guesses(true);
  return compute(id);
}

Status Speculation::compute(TokenId id) {
  const double start = options_.clock();
  const int64_t most = longest_draft();
  pass_[0] = id;
  const int64_t n_draft =
      most > 0 ? drafter_->propose(text_, std::span(pass_).subspan(1, static_cast<size_t>(most))) : 0;
  SMELT_CHECK(n_draft >= 0 && n_draft <= most);
  SMELT_ASSIGN(n_pass_, session_->verify(std::span(pass_).first(static_cast<size_t>(n_draft) + 1)));
  n_used_ = 1;
  length_.measured(n_draft, options_.clock() - start);
  ++figures_.passes;
  figures_.drafted += n_draft;
  return {};
}

// The last token of the text needs no pass, and guesses need places in the cache.
int64_t Speculation::longest_draft() {
  int64_t most = std::min(static_cast<int64_t>(pass_.size()), session_->n_ctx() - session_->position()) - 1;
  if (text_end_ >= 0) most = std::min(most, text_end_ - static_cast<int64_t>(text_.size()) - 1);
  if (options_.adaptive) most = std::min(most, length_.next());
  return std::max<int64_t>(most, 0);
}

}  // namespace smelt
