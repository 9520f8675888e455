// Runs an Nfa: states are sets of stacks (where a rule stands and where its callers go on), made when they are first
// needed, with a table of steps as of a plain automaton. constraint.h walks over vocabularies with it.
//
// Stacks are shared: an entry knows the one below it, and equal stacks have equal numbers. The number 0 is the bottom:
// what ends there has reached the end of the text, or, in a state that relative() made, left what can be said without
// knowing the callers.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "grammar/nfa.h"

namespace smelt {

class Automaton {
 public:
  using StateId = int32_t;
  static constexpr StateId kDead = 0;

  explicit Automaton(std::shared_ptr<const Nfa> nfa);

  StateId start() const { return start_; }
  // Where a byte leads. Allocates when it is the first time.
  StateId step(StateId state, uint8_t byte) {
    const StateId known = steps_[static_cast<size_t>(state) * n_classes_ + class_of_[byte]];
    return known >= 0 ? known : make_step(state, class_of_[byte]);
  }
  bool reaches_bottom(StateId state) const { return states_[static_cast<size_t>(state)].bottom; }
  bool has_steps(StateId state) const { return !states_[static_cast<size_t>(state)].tops.empty(); }
  int64_t distance(StateId state) const { return states_[static_cast<size_t>(state)].distance; }  // bytes to the bottom

  // A state without what all its stacks share below, and the state after that part is left (kDead if nothing is
  // shared). distance(state) is distance(inner) + distance(outer) at most.
  struct Split {
    StateId inner, outer;
  };
  Split split(StateId state);

  // Above this, forget() makes room; far above it, steps lead nowhere and overflown() says so.
  bool large() const { return n_bytes_ > kLargeBytes; }
  bool overflown() const { return n_bytes_ > kMaxBytes; }
  // Forgets all states but this one, which gets a new number.
  StateId forget(StateId state);

 private:
  static constexpr size_t kLargeBytes = size_t{12} << 20, kMaxBytes = size_t{32} << 20;

  struct Entry {  // of a stack: where a caller goes on
    int32_t state;
    int32_t below;
    int32_t depth;
    int64_t distance;  // to the bottom
  };
  struct Top {
    int32_t state;
    int32_t below;
    bool operator==(const Top&) const = default;
  };
  struct State {
    std::vector<Top> tops;  // sorted
    bool bottom;
    int64_t distance;
    Split split = {-1, -1};
  };

  void clear();
  int32_t push(int32_t state, int32_t below);
  StateId make_step(StateId state, uint8_t byte_class);
  // From tops in work_ along all steps that read nothing, to a state.
  StateId close();
  void follow(Top top);
  StateId intern(std::vector<Top> tops, bool bottom);
  int32_t common_below(const std::vector<Top>& tops) const;
  int32_t rebase(int32_t entry, int32_t base);

  std::shared_ptr<const Nfa> nfa_;
  std::array<uint8_t, 256> class_of_;
  size_t n_classes_;
  StateId start_ = kDead;
  std::vector<Entry> entries_;
  std::unordered_map<uint64_t, int32_t> entry_of_;  // by state and below
  std::vector<State> states_;
  std::unordered_multimap<uint64_t, StateId> state_of_;  // by hash
  std::vector<StateId> steps_;                           // -1: not known yet
  std::vector<Top> work_;
  std::unordered_set<uint64_t> seen_;
  size_t n_bytes_ = 0;
};

}  // namespace smelt
