// Runs of bytes that a state takes whatever they are: in a string, letters lead from state to state in a row, or back
// to the same one. All tokens of such bytes are then allowed at once (constraint.h).
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/automaton.h"

namespace smelt {

struct ByteRun {
  uint32_t kinds = 0;    // a bit for each kind of byte_kinds.h that may come
  int32_t room = 0;      // how many such bytes may follow one another, at least; none of the states is the bottom
  int64_t distance = 0;  // the longest to the end from any of the states on the way
};

class ByteRuns {
 public:
  ByteRun of(Automaton& automaton, Automaton::StateId state);
  void clear() { runs_.clear(); }

 private:
  struct Known {
    ByteRun run;
    Automaton::StateId next = Automaton::kDead;  // after one such byte
    bool stepped = false;                        // next and the run of one step are known
    bool followed = false;                       // … and the whole run
    ByteRun whole;
  };
  Known& look(Automaton& automaton, Automaton::StateId state);

  std::vector<Known> runs_;  // by state
};

}  // namespace smelt
