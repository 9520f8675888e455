// A session on which the items of a task are asked one after another. What all prompts begin with is computed once. The
// passes in which an item's tokens are computed depend on that item alone, never on those before it, so that its
// numbers are the same, bit for bit, in whichever run it is asked.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "runtime/session.h"

namespace smelt {

class PrefixSession {
 public:
  // `prefix`: what the prompts of this run begin with, as far as they do.
  PrefixSession(Session session, std::vector<TokenId> prefix)
      : session_(std::move(session)), prefix_(std::move(prefix)) {}

  Session& session() { return session_; }
  // Leaves in the session what `ids` has in common with the prefix, and less than all of it. Call for each item first.
  Status begin(std::span<const TokenId> ids, const CancelToken* cancel);
  // ln P(whole[first …] | whole[0 … first - 1]), 0 < first < whole.size().
  Result<double> log_likelihood(std::span<const TokenId> whole, int64_t first, const CancelToken* cancel);

 private:
  Status compute_prefix(const CancelToken* cancel);
  // The session then holds ids, and nothing else.
  Status hold(std::span<const TokenId> ids, const CancelToken* cancel);

  Session session_;
  std::vector<TokenId> prefix_;
  int64_t intact_ = 0;  // tokens of the prefix that are in the session as its own pass computed them
};

}  // namespace smelt
