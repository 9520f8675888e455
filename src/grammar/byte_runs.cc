// Following a row of states ahead, as far as tokens are long.
#include "grammar/byte_runs.h"

#include <algorithm>
#include <array>

#include "grammar/byte_kinds.h"

namespace smelt {
namespace {

constexpr int32_t kFar = 48;  // longer tokens are walked through byte by byte

}  // namespace

// The state to which most kinds lead as a whole, and those kinds.
ByteRuns::Known& ByteRuns::look(Automaton& automaton, Automaton::StateId state) {
  if (runs_.size() <= static_cast<size_t>(state)) runs_.resize(static_cast<size_t>(state) + 64);
  if (runs_[static_cast<size_t>(state)].stepped) return runs_[static_cast<size_t>(state)];
  constexpr Automaton::StateId kUnset = -1, kMixed = -2;
  std::array<Automaton::StateId, kByteKinds> targets;
  targets.fill(kUnset);
  for (unsigned byte = 0; byte < 256; ++byte) {
    Automaton::StateId& target = targets[kByteKind[byte]];
    if (target == kMixed) continue;
    const Automaton::StateId next = automaton.step(state, static_cast<uint8_t>(byte));
    if (target == kUnset) target = next;
    if (target != next) target = kMixed;
  }
  Known known;
  known.stepped = true;
  int most = 0;
  for (const Automaton::StateId target : targets) {
    if (target <= Automaton::kDead) continue;
    const auto count = static_cast<int>(std::count(targets.begin(), targets.end(), target));
    if (count > most) known.next = target;
    most = std::max(most, count);
  }
  for (size_t kind = 0; kind < targets.size() && most > 0; ++kind)
    if (targets[kind] == known.next) known.run.kinds |= uint32_t{1} << kind;
  known.run.distance = automaton.distance(known.next);
  if (most > 0 && automaton.reaches_bottom(known.next)) known.run.kinds = 0;
  if (known.run.kinds != 0) known.run.room = known.next == state ? kFar : 1;
  return runs_[static_cast<size_t>(state)] = known;
}

ByteRun ByteRuns::of(Automaton& automaton, Automaton::StateId state) {
  if (static_cast<size_t>(state) < runs_.size() && runs_[static_cast<size_t>(state)].followed)
    return runs_[static_cast<size_t>(state)].whole;
  ByteRun run = look(automaton, state).run;
  Automaton::StateId at = state;
  while (run.room > 0 && run.room < kFar) {
    at = runs_[static_cast<size_t>(at)].next;
    const ByteRun next = look(automaton, at).run;
    if ((next.kinds & run.kinds) != run.kinds) break;  // fewer may follow
    run.distance = std::max(run.distance, next.distance);
    run.room = std::min(run.room + next.room, kFar);
  }
  Known& known = runs_[static_cast<size_t>(state)];
  known.followed = true;
  return known.whole = run;
}

}  // namespace smelt
