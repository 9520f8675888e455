// The prefix, and scoring behind it.
#include "eval/tasks/prefix_session.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/logit_row.h"

namespace smelt {
namespace {

int64_t common_length(std::span<const TokenId> a, std::span<const TokenId> b) {
  return std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
}

}  // namespace

Status PrefixSession::compute_prefix(const CancelToken* cancel) {
  session_.truncate(0);
  intact_ = 0;
  SMELT_TRY(session_.append(prefix_, cancel));
  intact_ = std::ssize(prefix_);
  return {};
}

Status PrefixSession::begin(std::span<const TokenId> ids, const CancelToken* cancel) {
  const int64_t wanted = std::min(common_length(prefix_, ids), std::ssize(ids) - 1);
  if (wanted == 0) {
    session_.truncate(0);
    intact_ = 0;
    return {};
  }
  if (intact_ < wanted) SMELT_TRY(compute_prefix(cancel));
  if (session_.truncate(wanted) != wanted) {
    SMELT_TRY(compute_prefix(cancel));
    intact_ = session_.truncate(wanted);  // 0: of a window that has left it; computed with the item then
    return {};
  }
  intact_ = wanted;
  return {};
}

Status PrefixSession::hold(std::span<const TokenId> ids, const CancelToken* cancel) {
  const int64_t kept = session_.truncate(common_length(session_.tokens(), ids));
  intact_ = std::min(intact_, kept);
  const auto rest = ids.subspan(static_cast<size_t>(kept));
  return rest.empty() ? Status() : session_.append(rest, cancel);
}

Result<double> PrefixSession::log_likelihood(std::span<const TokenId> whole, int64_t first, const CancelToken* cancel) {
  SMELT_TRY(hold(whole.first(static_cast<size_t>(first - 1)), cancel));
  double sum = 0;
  const auto visit = [&](int64_t i, std::span<const float> logits) -> Status {
    const auto summary = summarize_row(logits);
    if (!summary) return input_error("the model computes logits that are not finite; the weights are damaged");
    sum -= negative_log_likelihood(logits, *summary, whole[static_cast<size_t>(first + i)]);
    return {};
  };
  const auto fed = whole.subspan(static_cast<size_t>(first - 1), whole.size() - static_cast<size_t>(first));
  SMELT_TRY(session_.append_visiting(fed, 0, visit));
  return sum;
}

}  // namespace smelt
