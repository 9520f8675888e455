// Output held to a grammar: which tokens may come next, token after token. generate.cc asks for a mask before each
// token is drawn and tells which was taken; nothing that does not lead to a complete text is ever allowed.
//
//   const auto grammar = parse_gbnf(text, file);  const auto nfa = Nfa::compile(*grammar);
//   Constraint constraint(nfa, trie);
//
// The cost of a mask is a walk of the automaton over the vocabulary's tree. What such a walk finds without knowing the
// callers of the rule at hand is kept and serves again at other depths and places; only tokens that leave the rule
// are then followed one by one.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "grammar/automaton.h"
#include "grammar/byte_runs.h"
#include "grammar/nfa.h"
#include "grammar/token_trie.h"

namespace smelt {

// One bit a token; the words behind the vocabulary's end are zero.
using TokenMask = std::vector<uint64_t>;
inline bool allows(std::span<const uint64_t> mask, TokenId id) {
  return ((mask[static_cast<size_t>(id) / 64] >> (static_cast<size_t>(id) % 64)) & 1) != 0;
}

class Constraint {
 public:
  Constraint(std::shared_ptr<const Nfa> nfa, std::shared_ptr<const TokenTrie> trie);

  // A text begins. at_start: it is the first text of all, so that the space which some vocabularies put there does not
  // show (StreamDecoder's at_start).
  void begin(bool at_start);
  // The tokens that may come next, when at most n_left (-1: any number of) tokens are still to come, this one included:
  // where the end is near, only those from which it can be reached in time, taking one token for every byte. Valid
  // until the next call. An error if there is none, or if the grammar is too ambiguous to follow.
  Result<std::span<const uint64_t>> mask(int64_t n_left);
  // The text goes on with this token, which must be one that mask() allowed.
  Status accept(TokenId id);
  bool may_end() const { return automaton_.reaches_bottom(state_); }
  bool must_end() const { return !automaton_.has_steps(state_); }

 private:
  struct Entry {                  // what a walk found
    std::vector<TokenId> few;     // allowed tokens, or …
    TokenMask many;               // … as bits
    std::vector<uint32_t> exits;  // nodes at which the rule ends and tokens go on
    int64_t distance = 0;         // the longest, over the allowed tokens, from there to the end
  };
  struct Walk {
    int64_t most_distance;  // tokens that leave the end farther away than this are not allowed
    int64_t distance = 0;
    std::vector<uint32_t>* exits = nullptr;
    bool at_start = false;
    bool clears = false;  // begins with all tokens allowed, as most will be, and strikes out the others
  };

  // From a state over the nodes from `begin` to `end`, which are siblings and what is below them, changing bits_.
  void walk(Automaton::StateId state, uint32_t begin, uint32_t end, Walk& walk);
  void walk_all(Automaton::StateId state, Walk& walk);
  void set_tokens(uint32_t begin, uint32_t end, bool allowed);
  void judge_token(uint32_t node, Automaton::StateId state, Walk& walk);
  bool allow_subtree(uint32_t node, Walk& walk);
  Entry& entry_of(Automaton::StateId inner);
  void apply(const Entry& entry);
  Entry pack(std::vector<uint32_t> exits, int64_t distance) const;
  const Entry& full_entry();
  void make_room();
  Status check_budget() const;
  void forget_entries();
  bool any() const;

  std::shared_ptr<const Nfa> nfa_;
  std::shared_ptr<const TokenTrie> trie_;
  Automaton automaton_;
  Automaton::StateId state_;
  bool after_prefix_ = false;
  TokenMask bits_;
  TokenMask all_;                         // that stand for text
  std::vector<Automaton::StateId> path_;  // of a walk: the state at each depth
  std::vector<ByteRun> path_runs_;        // … and what it takes
  ByteRuns runs_;
  std::unordered_map<Automaton::StateId, Entry> inner_entries_, full_entries_;
  size_t n_entry_bytes_ = 0;
};

}  // namespace smelt
