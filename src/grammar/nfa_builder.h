// Nfa::compile at work: expressions become states and steps (nfa_builder.cc), then what cannot be run is refused or cut
// off (nfa_check.cc). Internal to this folder.
#pragma once

#include <map>
#include <utility>
#include <vector>

#include "grammar/nfa.h"

namespace smelt {

class NfaBuilder {
 public:
  explicit NfaBuilder(const Grammar& grammar) : grammar_(grammar) {}
  Result<Nfa> build();

 private:
  struct State {
    std::vector<ByteEdge> bytes;
    std::vector<CallEdge> calls;
    std::vector<int32_t> jumps;
  };

  int32_t add_state();
  State& at(int32_t state) { return states_[static_cast<size_t>(state)]; }
  // The expression between two states. Depth is that of the expression, which the parsers limit.
  void add(ExprId id, int32_t from, int32_t to);
  void add_text(const std::string& text, int32_t from, int32_t to);
  void add_chars(const CodeSet& set, int32_t from, int32_t to);
  void add_repeat(const Expr& expr, int32_t from, int32_t to);
  bool full() const;

  Status refuse_left_recursion() const;
  std::vector<bool> find_nullable_rules() const;
  std::vector<RuleId> left_calls(RuleId rule, const std::vector<bool>& nullable) const;
  void measure_distances();
  void cut_dead_ends();
  Nfa flatten() const;
  std::string name(RuleId rule) const;

  const Grammar& grammar_;
  std::vector<State> states_;
  std::vector<int32_t> starts_, ends_;  // of each rule
  std::vector<int64_t> distances_;
  std::vector<int64_t> rule_lengths_;
};

}  // namespace smelt
